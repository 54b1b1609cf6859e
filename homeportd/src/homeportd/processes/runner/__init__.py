"""The runner: a small program, of the standard library alone, that runs one command and keeps its output and its exit.

It is no part of the agent's process: it is started with `python -I -S …/runner/__main__.py`, and imports nothing of
the agent but this package.
"""
