"""The agent of Homeport."""

__version__ = "0.1.0"
