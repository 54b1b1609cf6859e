"""The lock of a data folder, for one process at a time: the agent, or a command that replaces its database."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from homeportd.errors import HomeportError


class AlreadyRunning(HomeportError):
    """Another process serves this data folder."""


@contextmanager
def data_lock(data_dir: Path) -> Iterator[None]:
    """Hold the lock of a data folder, until the block or the process ends.

    Raises AlreadyRunning at once when somebody else holds it, OSError when its file cannot be opened.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(data_dir / "lock", flags, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                f"another agent serves {data_dir}", "stop it first: homeport status shows it"
            ) from None
        yield
    finally:
        os.close(descriptor)
