"""Ranges of port numbers, as settings name them."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class PortRange:
    """An inclusive range of port numbers, written `3000-9999` or `3000`."""

    first: int
    last: int

    @classmethod
    def parse(cls, text: str) -> PortRange:
        """Raises ValueError unless 1 <= first <= last <= 65535."""
        match = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", text)
        if not match:
            raise ValueError(f"port range {text!r} is not of the form 3000-9999")
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= last <= 65535:
            raise ValueError(f"port range {text!r} must rise and stay within 1-65535")
        return cls(first, last)

    def __contains__(self, port: int) -> bool:
        return self.first <= port <= self.last
