"""A tunnel: a place of the edge with its listener, whoever holds it now, and what moves through it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import datetime
from time import monotonic
from typing import Protocol

from homeportd import clock
from homeportd.edge.connections.client import Client, Offline
from homeportd.edge.listeners.metered_bridge import rate_limit
from homeportd.edge.model import ClientOptions, Reservation, Rules, rules
from homeportd.edge.traffic.connection_log import Visits
from homeportd.edge.traffic.stats import Stats
from homeportd.networks import Address, within
from homeportd.token_bucket import TokenBucket
from homeportd.tunnels.protocol import Introduction, Kind
from homeportd.yamux.stream import Stream

REFUSALS_BURST = 20  # rows of the access log about visitors turned away: so many at once,
REFUSALS_PER_S = 1.0  # so many a second after that; all are counted


class Listener(Protocol):
    """What takes visitors."""

    @property
    def port(self) -> int:
        """Where it listens."""

    def close(self) -> None:
        """Take no more."""

    def recheck(self) -> None:
        """End what the rules do not allow any more."""

    def cut(self) -> None:
        """End every connection; whoever has not been answered gets a page."""

    def end(self) -> None:
        """End every connection."""


class Tunnel:
    """Changed by the service alone; carriers count on `stats`."""

    def __init__(self, reservation: Reservation, visits: Visits) -> None:
        self.reservation = reservation
        self.options = ClientOptions()
        self.rules: Rules = rules(reservation, self.options)
        self.holder: Client | None = None
        self.created_by: Client | None = None  # whose `open` made the place, until anybody changes it
        self.stats = Stats()
        self.since: datetime = clock.now()  # of the present state
        self.lost_at: float = monotonic()  # when there was a holder last
        self.listener: Listener | None = None
        self.rate_in: TokenBucket | None = None
        self.rate_out: TokenBucket | None = None
        self._visits = visits
        self._refusals = TokenBucket(REFUSALS_BURST, REFUSALS_PER_S)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def id(self) -> str:
        """The same as long as the place is kept, whoever holds it."""
        return self.reservation.id

    @property
    def live(self) -> bool:
        """Whether a client holds it, and has a link."""
        return self.holder is not None and bool(self.holder.links)

    def set_rules(self, reservation: Reservation, options: ClientOptions) -> None:
        """Let other rules hold from now on, for visitors that are here too."""
        before = self.rules
        self.reservation, self.options = reservation, options
        self.rules = rules(reservation, options)
        if self.rules.bytes_per_second != before.bytes_per_second:
            rate = self.rules.bytes_per_second
            self.rate_in, self.rate_out = (rate_limit(rate), rate_limit(rate)) if rate else (None, None)
        if self.rules != before and self.listener is not None:
            self.listener.recheck()

    def admits(self, address: Address) -> bool:
        """Whether the allowlists let this visitor in. HTTP: Traefik asks its own copy of them."""
        if self.reservation.kind is Kind.HTTP:
            return True
        return all(within(address, networks) for networks in self.rules.allow)

    async def dial(self, address: Address, port: int) -> Stream:
        """A stream to the client for one visitor. Raises Offline."""
        introduction = Introduction(tunnel=self.id, address=address, port=port)
        while (holder := self.holder) is not None:
            try:
                stream = await holder.dial(introduction)
            except Offline:
                if self.holder is holder:
                    raise
                continue
            if self.holder is holder:
                return stream
            stream.reset()  # a newer client has the name since
        raise Offline

    def refuse(self, address: Address, port: int) -> None:
        """Count a visitor that was turned away, and note some of them."""
        self.stats.total.refused += 1
        if self._refusals.take(monotonic()):
            self._visits.record(self.id, "refused", str(address), port)

    def note(self, event: str, address: Address, port: int, **figures: int) -> None:
        """Write a row of the access log about a connection."""
        self._visits.record(self.id, event, str(address), port, **figures)

    def spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run something short for a visitor."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def close(self) -> None:
        """Take no more visitors, end those that are here."""
        if self.listener is not None:
            self.listener.close()
            self.listener.end()
            self.listener = None
        for task in self._tasks:
            task.cancel()
