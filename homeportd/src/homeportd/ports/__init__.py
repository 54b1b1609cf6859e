"""The listening sockets of this machine, with their processes and repos."""
