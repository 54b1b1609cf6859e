"""The byte relay for connections that must end when a share does."""
