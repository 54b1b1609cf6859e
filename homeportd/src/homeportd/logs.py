"""Logging to standard error, one line a record; the service manager adds the time."""

from __future__ import annotations

import logging
import sys


class OneLine(logging.Formatter):
    """`level logger: message`, with line ends in it made visible so that no input can forge a record."""

    def format(self, record: logging.LogRecord) -> str:
        """A record as one line; a traceback, which has text of ours alone, keeps its lines."""
        message = record.getMessage().encode("unicode_escape").decode("ascii")
        line = f"{record.levelname.lower()} {record.name}: {message}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def set_up(level: int = logging.INFO) -> None:
    """Route all logging through one handler."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine())
    logging.basicConfig(level=level, handlers=[handler], force=True)
