"""Starting a process in the background where there is no service manager for users."""

from __future__ import annotations

import logging
import logging.handlers
import os
import sys
from pathlib import Path
from typing import Final

from homeportd.logs import OneLine

LOG_BYTES: Final = 1024 * 1024  # of the log and of the one before it, each
LOG_FILES: Final = 1


def detach(log: Path) -> bool:
    """Fork twice: True in the process that is nobody's child any more, False in the one that was called.

    The new process has its own session, no terminal, and `log` for what Python itself may say at the end.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    first = os.fork()
    if first:
        os.waitpid(first, 0)
        return False
    os.setsid()
    if os.fork():
        os._exit(0)  # not the session's leader: it can never get a terminal
    os.chdir("/")
    os.umask(0o077)
    nothing = os.open(os.devnull, os.O_RDWR)
    said = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number, descriptor in enumerate((nothing, said, said)):
        os.dup2(descriptor, number)
    for descriptor in (nothing, said):
        if descriptor > 2:
            os.close(descriptor)
    return True


def log_to(file: Path) -> None:
    """Log to a file with times, as nobody else adds them; a full file is put aside once."""

    class Timed(OneLine):
        def format(self, record: logging.LogRecord) -> str:
            return f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%S%z')} {super().format(record)}"

    handler = logging.handlers.RotatingFileHandler(file, maxBytes=LOG_BYTES, backupCount=LOG_FILES)
    handler.setFormatter(Timed())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
