"""Statistics of a tunnel: counters that listeners raise, and rates taken from them each second."""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from datetime import datetime

SMOOTHING = 0.5  # share of the newest second in a rate


@dataclass(slots=True)
class Counts:
    """Counters of a tunnel since the agent started. `in` is from visitors to the client."""

    bytes_in: int = 0
    bytes_out: int = 0
    connections: int = 0  # begun; UDP: visitors
    requests: int = 0  # HTTP, from Traefik's log
    refused: int = 0  # visitors: by the allowlist, by a limit, or because the client was away
    dropped: int = 0  # datagrams: because a stream was backed up or a limit reached
    datagrams_in: int = 0  # passed on
    datagrams_out: int = 0

    def minus(self, other: Counts) -> Counts:
        """The difference to an earlier state `other`."""
        return Counts(*(a - b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def copy(self) -> Counts:
        """A copy that does not change."""
        return Counts(*astuple(self))

    def __bool__(self) -> bool:
        return any(astuple(self))


@dataclass(slots=True)
class Stats:
    """Live statistics of one tunnel."""

    total: Counts = field(default_factory=Counts)
    open: int = 0  # connections or UDP visitors at this moment
    rate_in: float = 0.0  # bytes per second
    rate_out: float = 0.0
    rolled: Counts = field(default_factory=Counts)  # the part that is in the minutes on disk
    _in: int = 0
    _out: int = 0
    _moved: int = 0  # bytes, both ways, at the last call of `last_byte_at`
    _moved_at: datetime | None = None

    def tick(self, now: datetime, seconds: float) -> bool:
        """Update the rates from the `seconds` since the last tick; whether a rate or the last byte has changed."""
        came, went = self.total.bytes_in - self._in, self.total.bytes_out - self._out
        self._in, self._out = self.total.bytes_in, self.total.bytes_out
        self.last_byte_at(now)
        if not came and not went and not self.rate_in and not self.rate_out:
            return False
        self.rate_in = _smooth(self.rate_in, came / seconds)
        self.rate_out = _smooth(self.rate_out, went / seconds)
        return True

    def last_byte_at(self, now: datetime) -> datetime | None:
        """When the last byte moved, late by a tick at most; None before the first."""
        moved = self.total.bytes_in + self.total.bytes_out
        if moved != self._moved:
            self._moved, self._moved_at = moved, now
        return self._moved_at

    def recall(self, moment: datetime) -> None:
        """Set when the last byte moved, from before this agent started."""
        self._moved_at = moment


def _smooth(before: float, now: float) -> float:
    rate = before + (now - before) * SMOOTHING
    return rate if rate >= 1 else 0.0
