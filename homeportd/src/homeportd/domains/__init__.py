"""People's own domains, mapped to names of the edge: DNS records, certificates, and how far each has come."""
