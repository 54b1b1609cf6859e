"""Commands that start without Typer, which takes longer to import than they take to run.

A module belongs here when its commands take --json and nothing else, and it imports neither Typer nor pydantic.
"""
