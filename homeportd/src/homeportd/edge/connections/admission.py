"""Limits for connections that have not yet sent a whole request head or hello, in total and for each address."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_address
from typing import Final

from homeportd.networks import client_key

MAX_PENDING: Final = 2048
MAX_PENDING_OF_ADDRESS: Final = 256  # of one IPv4 address or IPv6 /64; loopback has no limit of its own


class Admission:
    """Counts pending connections, and refuses those beyond the limits."""

    def __init__(self) -> None:
        self.count = 0  # pending connections, of all addresses
        self._of_network: Counter[str] = Counter()

    def enter(self, address: str) -> PendingConnection | None:
        """Count one more connection from `address`; None when a limit is reached."""
        network = _network(address)
        if self.count >= MAX_PENDING or (
            network is not None and self._of_network[network] >= MAX_PENDING_OF_ADDRESS
        ):
            return None
        self.count += 1
        if network is not None:
            self._of_network[network] += 1
        return PendingConnection(self, network)

    def left(self, network: str | None) -> None:
        """Count one connection less; `PendingConnection.leave` calls it."""
        self.count -= 1
        if network is not None:
            self._of_network[network] -= 1
            if not self._of_network[network]:
                del self._of_network[network]


class PendingConnection:
    """A connection that counts against the limits until `leave`."""

    def __init__(self, admission: Admission, network: str | None) -> None:
        self._admission: Admission | None = admission
        self._network = network

    def leave(self) -> None:
        """Count the connection no more: it was admitted, or has ended. Harmless twice."""
        admission, self._admission = self._admission, None
        if admission is not None:
            admission.left(self._network)


def _network(address: str) -> str | None:
    """The key under which an address is counted; None for loopback."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:64]
    return None if parsed.is_loopback else client_key(parsed)
