"""A limit on wrong guesses, by the real client address."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable

FAILURES = 5
WINDOW_S = 15 * 60
MAX_KEYS = 10_000


class Limiter:
    """Counts failures in a sliding window; a success clears them.

    One guess of a client is to be checked after the other (`Passwords.turn`): then guesses made side by side cannot
    exceed the limit, and right ones do not count.
    """

    def __init__(self, time_s: Callable[[], float] = time.monotonic) -> None:
        self._time_s = time_s
        self._failures: OrderedDict[Hashable, deque[float]] = OrderedDict()

    def wait_s(self, key: Hashable) -> float:
        """Seconds until this client may guess again; 0 when it may."""
        times = self._failures.get(key)
        if not times:
            return 0.0
        now = self._time_s()
        while times and now - times[0] >= WINDOW_S:
            times.popleft()
        return WINDOW_S - (now - times[0]) if len(times) >= FAILURES else 0.0

    def note(self, key: Hashable, *, right: bool) -> None:
        """Count a guess that was checked: a wrong one, or a right one, which forgives those before it."""
        if right:
            self._failures.pop(key, None)
            return
        times = self._failures.setdefault(key, deque(maxlen=FAILURES))
        times.append(self._time_s())
        self._failures.move_to_end(key)
        if len(self._failures) > MAX_KEYS:
            self._failures.popitem(last=False)
