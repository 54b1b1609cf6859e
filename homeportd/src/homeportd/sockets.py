"""The unix sockets of the agent, made with the right mode from the start."""

from __future__ import annotations

import os
import socket
from pathlib import Path

BACKLOG = 1024


def listen(path: Path, mode: int) -> socket.socket:
    """A listening unix socket at `path`; one left behind by an earlier process is replaced."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)  # not inherited: PEP 446
    try:
        path.unlink(missing_ok=True)
        # The mode must hold before the first connection, so it comes from the umask.
        before = os.umask(0o777 & ~mode)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener
