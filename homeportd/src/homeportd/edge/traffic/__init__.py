"""The traffic of tunnels: counters, rates, minutes, the connection log."""
