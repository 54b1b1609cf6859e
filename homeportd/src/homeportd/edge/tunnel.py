"""A tunnel: a reservation with its listener, the client that holds it now, and its statistics."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import datetime
from time import monotonic
from typing import Protocol

from homeportd import clock
from homeportd.edge.connections.client import Client, Offline
from homeportd.edge.model import ClientOptions, Reservation, Rules, rules
from homeportd.edge.traffic.connection_log import ConnectionLog
from homeportd.edge.traffic.rate import rate_limit
from homeportd.edge.traffic.stats import Stats
from homeportd.networks import Address, within
from homeportd.tasks import TaskSet
from homeportd.token_bucket import TokenBucket
from homeportd.tunnels.protocol import Introduction, Kind, Opened
from homeportd.yamux.stream import Stream

REFUSALS_BURST = 20  # rows of the connection log about refused visitors: so many at once,
REFUSALS_PER_S = 1.0  # so many a second after that; all are counted


class Listener(Protocol):
    """The listener for visitors of a tunnel: `listeners.tcp` or `listeners.udp`."""

    @property
    def port(self) -> int:
        """The port that it listens on."""

    def close(self) -> None:
        """Stop accepting visitors. Connections go on."""

    def recheck(self) -> None:
        """End connections that the tunnel's rules do not allow any more."""

    def cut(self) -> None:
        """End every connection; an HTTP visitor without a response gets a page."""

    def end(self) -> None:
        """End every connection, without a page."""


class Tunnel:
    """A name or port of the edge, live or not. The service alone changes it; listeners count on `stats`."""

    def __init__(self, reservation: Reservation, log: ConnectionLog) -> None:
        self.reservation = reservation
        self.options = ClientOptions()
        self.rules: Rules = rules(reservation, self.options)
        self.holder: Client | None = None
        # The client whose `open` made the reservation, until it is changed.
        self.created_by: Client | None = None
        self.stats = Stats()
        self.since: datetime = clock.now()  # of the present state
        self.lost_at: float = monotonic()  # when it had a holder last
        self.workstation = False  # whether a client has opened it as a workstation's since this edge started
        self.listener: Listener | None = None
        self.rate_in: TokenBucket | None = None
        self.rate_out: TokenBucket | None = None
        self._log = log
        self._refusals = TokenBucket(REFUSALS_BURST, REFUSALS_PER_S)
        self._tasks = TaskSet()

    @property
    def id(self) -> str:
        """The id of the reservation, whichever client holds it."""
        return self.reservation.id

    @property
    def live(self) -> bool:
        """Whether a client holds the tunnel, and has a link."""
        return self.holder is not None and bool(self.holder.links)

    @property
    def has_error_pages(self) -> bool:
        """Whether a visitor gets a page for an error. It is HTTP/1.1: with HTTP/2 Traefik answers a reset by itself."""
        return self.reservation.kind is Kind.HTTP and not self.options.http2

    def opened(self, request: int, address: str) -> Opened:
        """The message to its client that it is open, under this address."""
        return Opened(
            request=request,
            tunnel=self.id,
            address=address,
            name=self.reservation.name,
            port=self.reservation.port,
            http2=self.options.http2,
            subdomains=self.rules.subdomains,
        )

    def set_rules(self, reservation: Reservation, options: ClientOptions) -> None:
        """Apply other rules, to visitors that are connected too."""
        before = self.rules
        self.reservation, self.options = reservation, options
        self.workstation |= options.workstation
        self.rules = rules(reservation, options)
        if self.rules.bytes_per_second != before.bytes_per_second:
            rate = self.rules.bytes_per_second
            self.rate_in, self.rate_out = (rate_limit(rate), rate_limit(rate)) if rate else (None, None)
        if self.rules != before and self.listener is not None:
            self.listener.recheck()

    def admits(self, address: Address) -> bool:
        """Whether the allowlists contain an address. True for HTTP, where Traefik checks them."""
        if self.reservation.kind is Kind.HTTP:
            return True
        return all(within(address, networks) for networks in self.rules.allow)

    async def dial(self, address: Address, port: int, server: Address | None = None) -> Stream:
        """A stream to the client for one visitor; `server`: this machine's address there. Raises Offline."""
        introduction = Introduction(tunnel=self.id, address=address, port=port, server=server)
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
        """Count a visitor that was refused, and log some of them."""
        self.stats.total.refused += 1
        if self._refusals.take(monotonic()):
            self._log.record(self.id, "refused", str(address), port)

    def log(self, event: str, address: Address, port: int, **figures: int) -> None:
        """Add a row about a connection to the connection log."""
        self._log.record(self.id, event, str(address), port, **figures)

    def spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Run something short for a visitor; `close` cancels it."""
        return self._tasks.spawn(work, "a visitor")

    def close(self) -> None:
        """Stop accepting visitors, and end their connections."""
        if self.listener is not None:
            self.listener.close()
            self.listener.end()
            self.listener = None
        self._tasks.cancel()
