"""Who is on the way in: connections that have not said yet what they want, or who they are. Few of one address."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_address
from typing import Final

from homeportd.auth.limiter import neighbourhood

MAX_ARRIVING: Final = 2048
MAX_OF_ONE: Final = 256  # of one IPv4 address or IPv6 /64, this machine's own apart


class Admission:
    """Counts them."""

    def __init__(self) -> None:
        self.count = 0
        self._of: Counter[str] = Counter()

    def enter(self, address: str) -> PendingConnection | None:
        """One more from this address; None when there are enough."""
        where = _where(address)
        if self.count >= MAX_ARRIVING or (where is not None and self._of[where] >= MAX_OF_ONE):
            return None
        self.count += 1
        if where is not None:
            self._of[where] += 1
        return PendingConnection(self, where)

    def left(self, where: str | None) -> None:
        """One less; `PendingConnection` calls it."""
        self.count -= 1
        if where is not None:
            self._of[where] -= 1
            if not self._of[where]:
                del self._of[where]


class PendingConnection:
    """One of them, until `leave`."""

    def __init__(self, arrivals: Admission, where: str | None) -> None:
        self._arrivals: Admission | None = arrivals
        self._where = where

    def leave(self) -> None:
        """It is in, or gone. Harmless twice."""
        arrivals, self._arrivals = self._arrivals, None
        if arrivals is not None:
            arrivals.left(self._where)


def _where(address: str) -> str | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:64]
    return None if parsed.is_loopback else neighbourhood(parsed)
