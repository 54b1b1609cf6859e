"""Limits of a process: file descriptors for many visitors, and the memory that malloc keeps for reuse."""

from __future__ import annotations

import contextlib
import ctypes
import resource
from typing import Final

WANTED: Final = 65_536
KEPT: Final = 8  # one descriptor in so many is kept from visitors, for clients, the owner and files
KEPT_MOST: Final = 4096
HEAP_KEPT: Final = 16 * 1024 * 1024  # bytes of freed memory that are not given back to the system
MAPPED_FROM: Final = 2 * 1024 * 1024  # bytes of one block that gets pages of its own

_M_TRIM_THRESHOLD: Final = -1  # of glibc's malloc.h
_M_MMAP_THRESHOLD: Final = -3


def raise_descriptors() -> None:
    """Raise the soft limit of open files towards the hard one; macOS starts with 256."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = WANTED if hard == resource.RLIM_INFINITY else min(hard, WANTED)
    while soft < most:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
            return
        most //= 2  # macOS refuses more than its own limit, whatever the hard one says


def keep_memory() -> None:
    """Have malloc keep freed memory for reuse. By itself glibc gives it back after each chunk, and every 4 KiB
    of the next one is a page fault: up to a seventh of the work for a gigabyte. Elsewhere nothing happens.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, HEAP_KEPT)
        mallopt(_M_MMAP_THRESHOLD, MAPPED_FROM)


def give_back() -> None:
    """Return the freed memory of the whole heap to the system; reuse costs page faults again.

    What a visitor or a handshake had is freed in pieces among others, and stays resident by itself: TLS alone takes
    256 KiB for each connection. Some milliseconds for a hundred megabytes.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(HEAP_KEPT)


def descriptors_for_visitors() -> int:
    """The number from which on file descriptors are not for visitors."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return WANTED
    return soft - min(soft // KEPT, KEPT_MOST)
