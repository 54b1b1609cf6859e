"""Pings of a session: round-trip times, and the notice that a peer is dead. Timers by callback, no task."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

from homeportd.yamux.errors import SessionClosed
from homeportd.yamux.frames import MAX_U32
from homeportd.yamux.machine import Machine

MISSED_PINGS: Final = 2  # so many intervals without a byte from the peer, and it is dead
LATE: Final = 0.5  # seconds by which this side may be late itself, before it blames the peer
SOON: Final = 0.01  # seconds; timers of a loop may be early by one of its ticks


class Heartbeat:
    """Asks every `keepalive_interval` (0: never). Any byte is a sign of life, not the answer alone."""

    def __init__(
        self,
        machine: Machine,
        loop: asyncio.AbstractEventLoop,
        flush: Callable[[], None],
        dead: Callable[[str], None],
    ) -> None:
        self.heard_at: float | None = None  # set by the session whenever bytes come, by `monotonic`
        self.blocked = True  # the transport takes no more: a question could not leave
        self._machine = machine
        self._loop = loop
        self._flush = flush
        self._dead = dead
        self._interval = machine.config.keepalive_interval
        self._asked: dict[
            int, tuple[asyncio.Future[float] | None, float]
        ] = {}  # value: who waits, since when
        self._next_value = 0
        self._begun_at = monotonic()
        self._asked_at = 0.0
        self._due_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Ask for the first time."""
        if self._interval:
            self._begun_at = self._asked_at = monotonic()
            self._wait(self._interval, self._ask(None))

    def stop(self, reason: str) -> None:
        """Ask no more; callers that wait for an answer get `SessionClosed`."""
        if self._timer is not None:
            self._timer.cancel()
        for answer, _ in self._asked.values():
            if answer is not None and not answer.done():
                answer.set_exception(SessionClosed(reason))
        self._asked.clear()

    async def ping(self) -> float:
        """Seconds to the peer and back. Raises `SessionClosed`."""
        answer: asyncio.Future[float] = self._loop.create_future()
        value = self._ask(answer)
        try:
            return await answer
        finally:
            self._asked.pop(value, None)

    def answered(self, value: int, now: float) -> None:
        """Take a pong. One that was not asked for is ignored."""
        answer, asked_at = self._asked.pop(value, (None, None))
        if asked_at is None:
            return
        took, known = now - asked_at, self._machine.round_trip
        # Falls at once, rises slowly: a full buffer on the way delays an answer, nothing hurries one.
        self._machine.round_trip = took if known is None or took < known else known + (took - known) / 8
        if answer is not None and not answer.done():
            answer.set_result(took)

    def _ask(self, answer: asyncio.Future[float] | None) -> int:
        value = self._next_value
        self._next_value = (value + 1) & MAX_U32
        self._asked[value] = (answer, monotonic())
        self._machine.ping(value)
        self._flush()
        return value

    def _wait(self, seconds: float, asked: int) -> None:
        self._due_at = monotonic() + seconds
        self._timer = self._loop.call_later(seconds, self._tick, asked)

    def _tick(self, asked: int) -> None:
        """Ask when it is time to, and give the peer up right when it was silent for too long."""
        now, patience = monotonic(), MISSED_PINGS * self._interval
        dead_at = max(self._begun_at, self.heard_at or 0.0) + patience
        if now >= dead_at:
            if now - self._due_at <= LATE:
                self._dead(f"no sign of life from the peer for {patience:g} s")
                return
            # This side was held up (a process stopped, a machine short of time): what came meanwhile is unread.
            dead_at = now + LATE
        if now >= self._asked_at + self._interval - SOON:
            self._asked_at = now
            if not self.blocked:
                self._asked.pop(asked, None)
                asked = self._ask(None)
        self._wait(max(SOON, min(self._asked_at + self._interval, dead_at) - now), asked)
