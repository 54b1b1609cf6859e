"""Which listeners are dev servers, by their port."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator

from homeportd.port_range import PortRange
from homeportd.setting_types import AbsolutePath, RoomSettings

# Why a listener is no dev server: it is one of Homeport's own, or in none of the ranges.
Outside = Literal["own", "ranges"]


def _ranges(texts: tuple[str, ...]) -> tuple[str, ...]:
    if not texts:
        raise ValueError("at least one range is needed, such as 3000-9999")
    for text in texts:
        PortRange.parse(text)
    return texts


class PortsSettings(RoomSettings):
    """The ports that Homeport looks at, and how it learns who owns a listener of another user."""

    port_ranges: Annotated[tuple[str, ...], AfterValidator(_ranges)]
    own_ports: frozenset[int] = frozenset()
    owner_reader: AbsolutePath | None = None  # the socket of ports/owner_reader, where there is one

    @cached_property
    def ranges(self) -> tuple[PortRange, ...]:
        """The parsed `port_ranges`."""
        return tuple(PortRange.parse(text) for text in self.port_ranges)

    def outside(self, port: int) -> Outside | None:
        """Why a listener on this port is no dev server; None where it is one."""
        if port in self.own_ports:
            return "own"
        return None if any(port in span for span in self.ranges) else "ranges"

    def covers(self, port: int) -> bool:
        """Whether a listener on this port is a dev server."""
        return self.outside(port) is None
