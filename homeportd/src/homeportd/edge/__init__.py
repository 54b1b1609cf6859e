"""The edge: names, listeners and visitors of tunnels."""
