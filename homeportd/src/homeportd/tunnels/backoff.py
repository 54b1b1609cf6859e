"""Waits between attempts: exponential backoff with full jitter. No I/O."""

from __future__ import annotations

import random
from typing import Final

FIRST_S: Final = 0.2
LONGEST_S: Final = 30.0
STABLE_S: Final = 60.0  # a link that was up for so long resets the backoff
FLAPPING: Final = 3  # failures that links count at most which come up and are lost soon

_random = random.SystemRandom()


class Backoff:
    """The failures of one kind of attempt, and the wait before the next."""

    def __init__(self, first_s: float = FIRST_S, longest_s: float = LONGEST_S) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self.failures = 0
        self._waited_s = 0.0  # in all, since the first failure

    @property
    def ceiling(self) -> float:
        """The longest that the next wait can be, in seconds; 0 before anything failed."""
        if not self.failures:
            return 0.0
        return float(min(self._longest_s, self._first_s * 2 ** min(self.failures - 1, 30)))

    def delay(self) -> float:
        """Seconds to wait: anything up to the ceiling, so that many clients do not come back at once.

        Nor much more than the waits before it in all: by chance a few in a row are short, and a client that failed
        often within two seconds would stay away for twenty from an edge that was only restarting.
        """
        least = self._first_s * 2 ** (FLAPPING - 1)
        wait = _random.uniform(0, min(self.ceiling, max(least, self._waited_s)))
        self._waited_s += wait
        return wait

    def failed(self) -> None:
        """Count a failed attempt."""
        self.failures += 1

    def lasting(self) -> None:
        """Count a failure whose cause lasts: attempts become rare."""
        self.failures = 31
        self._waited_s = self._longest_s

    def lost(self, age_s: float) -> None:
        """Count the loss of a link that was up for `age_s` seconds."""
        self.failures = 1 if age_s >= STABLE_S else min(self.failures + 1, FLAPPING)
        self._waited_s = 0.0

    def reset(self) -> None:
        """Forget all failures: a link has been up for STABLE_S, or their cause may be gone."""
        self.failures = 0
        self._waited_s = 0.0
