"""A signal: an event of one room that others subscribe to, within one event loop."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, ParamSpec

P = ParamSpec("P")

_log = logging.getLogger(__name__)


class Signal(Generic[P]):
    """Subscribers of one kind of event; `Signal[int, str]` is emitted with an int and a str."""

    __slots__ = ("_subscribers",)

    def __init__(self) -> None:
        self._subscribers: tuple[Callable[P, object], ...] = ()

    def subscribe(self, subscriber: Callable[P, object]) -> None:
        """Call `subscriber` at each `emit` from now on, after those that subscribed earlier."""
        self._subscribers += (subscriber,)

    def emit(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call every subscriber at once, in order. A subscriber that raises is logged, and the others are called."""
        for subscriber in self._subscribers:
            try:
                subscriber(*args, **kwargs)
            except Exception:
                _log.exception("a subscriber failed: %r", subscriber)
