"""What happened, in order, for whoever watches: a bounded log that a watcher can resume.

An event has an id, one more than the last, so that a watcher who was away asks for what came since. Events
that only show the present (system load, access rows) have no id and are never replayed.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

KEPT = 1024  # events that a returning watcher can catch up on
QUEUED = 256  # events that a slow watcher may lag behind before it is cut off
MAX_WATCHERS = 64


@dataclass(frozen=True)
class Event:
    """One thing that happened; `data` is JSON-ready. `id` None: not kept."""

    id: int | None
    type: str
    data: Mapping[str, Any]

    def message(self) -> dict[str, Any]:
        """What goes over the wire."""
        return {"id": self.id, "type": self.type, "data": self.data}


class TooManyWatchers(Exception):
    """The limit of watchers is reached."""


@dataclass(eq=False)
class Watcher:
    """One reader's place in the log. `resumed` says whether `missed` is all that it missed."""

    epoch: str
    last_id: int
    resumed: bool
    missed: tuple[Event, ...]
    _queue: asyncio.Queue[Event | None] = field(default_factory=lambda: asyncio.Queue(QUEUED))
    lagging: bool = False

    def offer(self, event: Event | None) -> None:
        """Hand over one event; a watcher that cannot keep up is ended and must come back with its last id."""
        if self.lagging:
            return
        if self._queue.full():
            self.lagging = True
            self._queue.get_nowait()
            event = None
        self._queue.put_nowait(event)

    async def next(self) -> Event | None:
        """The next event, or None when this watch is over."""
        return await self._queue.get()


class Events:
    """The log and its watchers, all within one event loop."""

    def __init__(self) -> None:
        self.epoch = secrets.token_hex(8)  # a restart begins a new log: ids of the old one mean nothing
        self._last_id = 0
        self._kept: deque[Event] = deque(maxlen=KEPT)
        self._watchers: set[Watcher] = set()
        self._views: dict[str, type[BaseModel]] = {}

    @property
    def watched(self) -> bool:
        """Whether anybody looks: costly views are made for no one else."""
        return bool(self._watchers)

    def declare(self, views: Mapping[str, type[BaseModel]]) -> None:
        """Name the shape of the data of these types of event, for the description of the API."""
        self._views.update(views)

    @property
    def views(self) -> Mapping[str, type[BaseModel]]:
        """The shape of the data of each declared type of event."""
        return self._views

    def publish(self, kind: str, data: Mapping[str, Any]) -> None:
        """Record an event and tell every watcher."""
        self._last_id += 1
        event = Event(self._last_id, kind, data)
        self._kept.append(event)
        self._tell(event)

    def show(self, kind: str, data: Mapping[str, Any]) -> None:
        """Tell every watcher something that need not be kept."""
        self._tell(Event(None, kind, data))

    def _tell(self, event: Event) -> None:
        for watcher in self._watchers:
            watcher.offer(event)

    @contextmanager
    def watch(self, since: str | None) -> Iterator[Watcher]:
        """Join, catching up from `since` (`<epoch>:<id>`) where the log still reaches back that far."""
        if len(self._watchers) >= MAX_WATCHERS:
            raise TooManyWatchers
        missed = self._since(since)
        watcher = Watcher(self.epoch, self._last_id, missed is not None, missed or ())
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    def _since(self, since: str | None) -> tuple[Event, ...] | None:
        epoch, _, number = (since or "").partition(":")
        if epoch != self.epoch or not number.isascii() or not number.isdigit() or len(number) > 18:
            return None
        last = int(number)
        oldest = self._kept[0].id if self._kept else self._last_id + 1
        if oldest is None or last > self._last_id or last < oldest - 1:
            return None
        return tuple(event for event in self._kept if event.id is not None and event.id > last)

    def close(self) -> None:
        """End every watch."""
        for watcher in self._watchers:
            watcher.offer(None)
