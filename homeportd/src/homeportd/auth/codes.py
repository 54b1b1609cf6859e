"""One-time codes: of login links, and of the hand-off of a login session from the dashboard to a port."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

from homeportd.networks import client_key

MAX_CODES = 256


class Codes:
    """Codes in memory, each good once, within `lifetime_s`, for the purpose it was made for.

    Only their hashes are kept. The oldest give way beyond MAX_CODES.
    """

    def __init__(self, lifetime_s: float, time_s: Callable[[], float] = time.monotonic) -> None:
        self.lifetime_s = lifetime_s
        self._time_s = time_s
        self._codes: OrderedDict[bytes, tuple[float, str]] = OrderedDict()

    def make(self, purpose: str) -> str:
        """A new code of 32 URL-safe characters."""
        code = secrets.token_urlsafe(24)
        self._codes[_hash(code)] = (self._time_s() + self.lifetime_s, purpose)
        while len(self._codes) > MAX_CODES:
            self._codes.popitem(last=False)
        return code

    def redeem(self, code: str) -> str | None:
        """The purpose the code was made for, once; None when it is unknown, used or too old."""
        if len(code) > 64:
            return None
        deadline, purpose = self._codes.pop(_hash(code), (0.0, None))
        return purpose if purpose is not None and self._time_s() < deadline else None


def browser_of(address: IPv4Address | IPv6Address | None, user_agent: str) -> str:
    """A text for the browser at this address (an IPv4 address, an IPv6 /64, this machine) with this user agent."""
    place = "here" if address is None or address.is_loopback else client_key(address)
    return hashlib.sha256(f"{place} {user_agent}".encode()).hexdigest()


def _hash(code: str) -> bytes:
    return hashlib.sha256(code.encode()).digest()
