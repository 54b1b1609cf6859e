"""The connections of tunnel clients to an edge."""
