"""Shares: who may see a port, until when, from which networks."""
