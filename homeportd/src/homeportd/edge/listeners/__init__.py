"""The sockets of an edge that visitors connect to."""
