"""Clients of the programs that a command asks: the agent, the edge, the tunnel daemon."""
