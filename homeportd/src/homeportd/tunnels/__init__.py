"""Tunnels: from a public name or port of an edge to a port behind a client."""
