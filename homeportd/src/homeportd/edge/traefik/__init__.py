"""Traefik in front of an edge: the files written for it, and the logs read from it."""
