"""What went through the tunnels of an edge: counts, minutes, connections."""
