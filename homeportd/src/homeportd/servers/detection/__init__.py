"""Detection of the start commands of a repo: a bounded snapshot of its files, and pure functions that read it."""
