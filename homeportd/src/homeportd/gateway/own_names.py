"""Names of this machine, under which a dev server may speak of itself: loopback, every address, the host name."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Final

import psutil

REFRESH_S: Final = 30.0  # addresses come and go with networks and containers
MAX_ADDRESSES: Final = 64

LOOPBACK: Final = r"localhost|127(?:\.[0-9]+)+|0\.0\.0\.0|\[::1?\]"


def addresses() -> list[str]:
    """The addresses of all interfaces, as the host of a URL. Without link-local ones, which no URL can name."""
    found = []
    for interface in psutil.net_if_addrs().values():
        for entry in interface:
            if entry.family == socket.AF_INET:
                found.append(entry.address)
            elif entry.family == socket.AF_INET6 and "%" not in entry.address:
                found.append(f"[{entry.address}]")
    return found


def pattern(found: Iterable[str], hostname: str) -> str:
    """A regular expression (RE2, without groups) for the host part of a URL that leads to this machine."""
    names = {one for one in found if not re.fullmatch(LOOPBACK, one)}
    literal = [re.escape(one) for one in sorted(names)[:MAX_ADDRESSES]]
    if re.fullmatch(r"[A-Za-z0-9.-]+", hostname):
        literal.append(re.escape(hostname) + r"(?:\.local)?")
    return "|".join([LOOPBACK, *literal])


class OwnNames:
    """The pattern of this machine's names, made anew every REFRESH_S."""

    def __init__(
        self, find: Callable[[], list[str]] = addresses, clock: Callable[[], float] = monotonic
    ) -> None:
        self._find = find
        self._clock = clock
        self._until = 0.0
        self._pattern = ""

    def pattern(self) -> str:
        """As `pattern` above, for the addresses of now; the same object while they stay."""
        if self._clock() >= self._until or not self._pattern:
            self._until = self._clock() + REFRESH_S
            fresh = pattern(self._find(), socket.gethostname())
            if fresh != self._pattern:
                self._pattern = fresh
        return self._pattern
