"""Who may see a port, until when, from where."""
