"""What the system allows a process: as many descriptors as it may have, for many visitors need many."""

from __future__ import annotations

import contextlib
import resource
from typing import Final

WANTED: Final = 65_536
KEPT: Final = 8  # one in so many is kept for clients, the owner and files: visitors must not use up the last
KEPT_MOST: Final = 4096


def raise_descriptors() -> None:
    """Raise the soft limit of open files towards the hard one; macOS starts with 256."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = WANTED if hard == resource.RLIM_INFINITY else min(hard, WANTED)
    while soft < most:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            return
        most //= 2  # macOS refuses more than its own limit, whatever the hard one says


def descriptors_for_visitors() -> int:
    """Descriptors from this number on are not for visitors."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return WANTED
    return soft - min(soft // KEPT, KEPT_MOST)
