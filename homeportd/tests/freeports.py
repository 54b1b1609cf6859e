"""Ports for servers of tests, each given once in a run and to one process of the machine at a time.

They are below those that the kernel gives to clients (from 32768 on), any of which may have the port of a server that
is yet to start. A process claims blocks of them, so that test processes side by side never choose the same: an
abstract Unix socket in a block's name is bound for as long as the process lives.
"""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack, suppress

FIRST, LAST, BLOCK = 10_000, 32_767, 100
_claims: list[int] = []  # descriptors, open for as long as the process lives
_left: list[int] = []  # claimed by this process and not yet given
_dice = random.SystemRandom()  # Hypothesis gives the same seed to everybody's other one


def free_ports(count: int) -> list[int]:
    """So many in a row, free for TCP and UDP on loopback a moment ago."""
    while True:
        if len(_left) < count:
            _left[:] = _claim(-(-count // BLOCK))
        found = _left[:count]
        del _left[:count]
        if all(map(_is_free, found)):
            return found


def free_port() -> int:
    """One of these."""
    return free_ports(1)[0]


def claims() -> frozenset[int]:
    """The descriptors that the claims of this process are, for tests that count descriptors."""
    return frozenset(_claims)


def _claim(blocks: int) -> list[int]:
    """The ports of so many adjacent blocks that no process of this machine has claimed. Raises RuntimeError."""
    size = blocks * BLOCK
    firsts = list(range(FIRST, LAST + 2 - size, BLOCK))
    _dice.shuffle(firsts)
    for first in firsts:
        with suppress(OSError), ExitStack() as stack:
            made = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(blocks)]
            for number, claim in enumerate(made):
                claim.bind(f"\0homeport-test-ports-{first + number * BLOCK}")
            stack.pop_all()
            _claims.extend(claim.detach() for claim in made)
            return list(range(first, first + size))
    raise RuntimeError("all ports for tests are claimed: too many test runs at a time on this machine")


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
