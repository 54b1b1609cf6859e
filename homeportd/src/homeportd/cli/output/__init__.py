"""Output of commands: phrases, tables, pages, and their layout on a terminal."""
