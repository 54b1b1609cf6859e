"""Processes that outlive the agent: each runs below a runner of its own, and is found again by its folder."""
