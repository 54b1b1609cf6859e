"""The listening socket that a connection to an address would reach now, as the kernel says (`sock_diag`).

A scan is up to a second old when it is used; between it and a connection, another program may have taken the number.
"""

from __future__ import annotations

import time
from typing import Final

from homeportd.ports.netlink import listener
from homeportd.sock_diag import SocketQuestions

FRESH_S: Final = 0.01  # for which an answer is good, so that a busy port costs no question a request
MAX_KEPT: Final = 256  # answers


class SocketLookup:
    """Questions to the kernel about one socket each. For one thread."""

    def __init__(self) -> None:
        self._questions = SocketQuestions()
        self._answers: dict[tuple[str, int], tuple[float, int | None]] = {}

    def inode(self, address: tuple[str, int], *, fresh: bool = False) -> int | None:
        """The inode of the socket that listens for connections to (IP address, port); None where none does.

        The answer may be FRESH_S old, unless it is to be `fresh`. Raises OSError when the kernel refuses.
        """
        now = time.monotonic()
        known = self._answers.get(address)
        if known is not None and not fresh and now < known[0]:
            return known[1]
        found = self._ask(address)
        if len(self._answers) >= MAX_KEPT:
            self._answers.clear()
        self._answers[address] = now + FRESH_S, found
        return found

    def close(self) -> None:
        """Give the descriptor back; the next question opens another."""
        self._questions.close()

    def _ask(self, address: tuple[str, int]) -> int | None:
        host, _ = address
        # From port 0 no connection comes, so that only a listener can be meant.
        answer = self._questions.ask(address, (host, 0))
        found = listener(answer) if answer is not None else None
        return found.inode if found is not None else None
