"""Background work with progress, a log, an end and a cancel."""
