"""A token bucket: a burst at once, a rate after that."""

from __future__ import annotations


class TokenBucket:
    """A limit of `burst` units at once and `rate` units a second (events, bytes); it begins full.

    `now` is any monotonic clock, in seconds.
    """

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, burst: float, rate: float) -> None:
        self._burst = self._tokens = float(burst)
        self._rate = rate
        self._at = 0.0

    def take(self, now: float) -> bool:
        """Count one event; whether it is within the limit. An event beyond the limit costs nothing."""
        self._refill(now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def spend(self, amount: float, now: float) -> float:
        """Count `amount` units that have gone, beyond the limit too; seconds until the next may go, 0 for at once."""
        self._refill(now)
        self._tokens -= amount
        return max(0.0, -self._tokens / self._rate)

    def _refill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
