"""A token bucket: so many at once, so many a second after that."""

from __future__ import annotations


class Bucket:
    """Counts events against a burst and a rate (per second). `now` is any monotonic clock in seconds."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, burst: float, rate: float) -> None:
        self._burst = self._tokens = float(burst)
        self._rate = rate
        self._at = 0.0

    def take(self, now: float) -> bool:
        """Count one event; whether it is within the limit. Those beyond it cost nothing: it recovers at the rate."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
