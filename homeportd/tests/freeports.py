"""Ports for servers of tests, each given once in a run.

They are below those that the kernel gives to clients (from 32768 on), any of which may have the port of a server that
is yet to start; and above those that tests take without asking: 10000-22999.
"""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack

FIRST, LAST = 23_000, 32_767
_given: set[int] = set()


def free_ports(count: int) -> list[int]:
    """So many in a row, free for TCP and UDP on loopback a moment ago."""
    while True:
        first = random.randint(FIRST, LAST + 1 - count)
        found = list(range(first, first + count))
        if not _given.intersection(found) and all(map(_is_free, found)):
            _given.update(found)
            return found


def free_port() -> int:
    """One of these."""
    return free_ports(1)[0]


def _is_free(port: int) -> bool:
    with ExitStack() as stack:
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                try:
                    stack.enter_context(socket.socket(family, kind)).bind((address, port))
                except OSError:
                    if family == socket.AF_INET:
                        return False  # a machine may do without IPv6
    return True
