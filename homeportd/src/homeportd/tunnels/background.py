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


def detach(log: Path) -> int | None:
    """Fork twice. Returns the new process's pid in the calling process, and None in the new one.

    The new process is a child of PID 1, with a session of its own, no terminal, and `log` for its output.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe()
    first = os.fork()
    if first:
        os.close(writer)
        os.waitpid(first, 0)
        with os.fdopen(reader, "rb") as report:
            return int(report.read() or b"0")
    os.setsid()
    second = os.fork()
    if second:  # not the session's leader, so that it can never get a terminal
        os.write(writer, str(second).encode())
        os._exit(0)
    os.close(writer)
    os.close(reader)
    os.chdir("/")
    os.umask(0o077)
    nothing = os.open(os.devnull, os.O_RDWR)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number, descriptor in enumerate((nothing, output, output)):
        os.dup2(descriptor, number)
    for descriptor in (nothing, output):
        if descriptor > 2:
            os.close(descriptor)
    return None


def log_to(file: Path) -> None:
    """Log to a file, with times; a full file is renamed, and one such file is kept."""

    class Timed(OneLine):
        def format(self, record: logging.LogRecord) -> str:
            return f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%S%z')} {super().format(record)}"

    handler = logging.handlers.RotatingFileHandler(file, maxBytes=LOG_BYTES, backupCount=LOG_FILES)
    handler.setFormatter(Timed())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
