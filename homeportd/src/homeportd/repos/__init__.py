"""The git repositories that dev servers run in."""
