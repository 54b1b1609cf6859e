"""The policy decision point: what Caddy asks ahead of each request to a port."""
