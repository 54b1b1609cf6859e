"""The editor: code-server at an origin of its own, started on demand and stopped when nobody uses it."""
