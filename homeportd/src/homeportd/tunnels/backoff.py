"""How long to wait before the next attempt: exponential, with full jitter. Pure but for chance."""

from __future__ import annotations

import random
from typing import Final

FIRST_S: Final = 0.2
LONGEST_S: Final = 30.0
STABLE_S: Final = 60.0  # a link that lived so long has proven the way
FLAPPING: Final = 3  # a link that was up and fell soon is tried again as after so many failures, not more

_random = random.SystemRandom()


class Backoff:
    """Counts failures of one way to an edge."""

    def __init__(self, first_s: float = FIRST_S, longest_s: float = LONGEST_S) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self.failures = 0
        self._waited_s = 0.0  # since the way was lost

    @property
    def ceiling(self) -> float:
        """The longest that the next wait can be, in seconds; 0 before anything failed."""
        if not self.failures:
            return 0.0
        return float(min(self._longest_s, self._first_s * 2 ** min(self.failures - 1, 30)))

    def delay(self) -> float:
        """Seconds to wait: anything up to the ceiling, so that many clients do not come back at once.

        Nor much more than was waited already: by chance a few waits in a row are short, and whoever failed often
        within two seconds would stay away for twenty from an edge that only started again.
        """
        least = self._first_s * 2 ** (FLAPPING - 1)
        wait = _random.uniform(0, min(self.ceiling, max(least, self._waited_s)))
        self._waited_s += wait
        return wait

    def failed(self) -> None:
        """An attempt failed."""
        self.failures += 1

    def lasting(self) -> None:
        """An attempt failed for a reason that time does not mend: ask seldom."""
        self.failures = 31
        self._waited_s = self._longest_s

    def lost(self, age_s: float) -> None:
        """A link that was up fell after so many seconds."""
        self.failures = 1 if age_s >= STABLE_S else min(self.failures + 1, FLAPPING)
        self._waited_s = 0.0

    def proven(self) -> None:
        """A link is up, and has been for a stable minute."""
        self.failures = 0
        self._waited_s = 0.0
