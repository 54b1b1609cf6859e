"""The machine: load, memory, disk."""
