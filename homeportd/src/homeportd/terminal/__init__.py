"""Terminals in the dashboard: a shell of the agent's user in a repo, over a WebSocket."""
