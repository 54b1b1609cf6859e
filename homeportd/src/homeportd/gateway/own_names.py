"""Names of this machine, under which a dev server may speak of itself: loopback, every address, the host name."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import psutil

REFRESH_S: Final = 30.0  # addresses come and go with networks and containers
MAX_ADDRESSES: Final = 64

# What the Caddyfile knows by itself.
LOOPBACK: Final = r"localhost|127(?:\.[0-9]+)+|0\.0\.0\.0|\[::1?\]"
NOBODY: Final = r"\[\]"  # matches no host: an empty expression would match all


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
    if re.fullmatch(r"[A-Za-z0-9.-]+", hostname) and hostname.lower() != "localhost":
        literal.append(re.escape(hostname) + r"(?:\.local)?")
    return "|".join(literal) or NOBODY


class NamesFile:
    """The file that the Caddyfile takes the names from, for the few answers that have an address to map."""

    def __init__(self, path: Path, find: Callable[[], list[str]] = addresses) -> None:
        self._path = path
        self._find = find
        self._written = ""

    def refresh(self) -> None:
        """Write the names of now, where they have changed. Raises OSError."""
        fresh = pattern(self._find(), socket.gethostname())
        if fresh == self._written:
            return
        new = self._path.with_suffix(".new")
        new.write_text(fresh)
        new.chmod(0o644)  # Caddy is another user
        new.replace(self._path)
        self._written = fresh
