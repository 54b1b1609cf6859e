"""One visitor's connection joined with its stream: counted, and held to a rate where the tunnel has one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Final, Protocol, cast

from homeportd.edge.traffic.stats import Stats
from homeportd.token_bucket import TokenBucket
from homeportd.yamux.bridge import Bridge
from homeportd.yamux.errors import YamuxError
from homeportd.yamux.stream import Stream

BURST_S: Final = 0.25  # a rate may be overdrawn by what it gives in so many seconds
SLICE: Final = 64 * 1024  # bytes taken from a held chunk at once


Broken = Callable[[YamuxError, bool], None]


def rate_limit(bytes_per_second: int) -> TokenBucket:
    """A bucket of bytes that all connections of a tunnel share, one for each direction."""
    return TokenBucket(bytes_per_second * BURST_S, bytes_per_second)


class Rates(Protocol):
    """A tunnel's rates of this moment; None: as fast as it goes."""

    rate_in: TokenBucket | None
    rate_out: TokenBucket | None


class MeteredBridge(Bridge):
    """A `Bridge` that counts, and keeps to the rates of its tunnel.

    From the visitor: the socket is not read while the rate is overdrawn. To the visitor: what came waits here
    unconsumed, so that the stream's window bounds it.

    `on_end(bytes in, bytes out)` is called once, when the connection is gone. `broken(error, asked)` is called in place
    of a reset when the client gave no byte at all, and takes the connection over; `asked`: the visitor sent something.
    """

    def __init__(
        self,
        stream: Stream,
        stats: Stats,
        rates: Rates,
        on_end: Callable[[int, int], None],
        broken: Broken | None = None,
    ) -> None:
        super().__init__(stream)
        self.bytes_in = 0
        self.bytes_out = 0
        self._total = stats.total
        self._rates = rates
        self._on_end = on_end
        self._broken = broken
        self._loop = stream.session.loop
        self._socket: asyncio.Transport | None = None
        self._resting: asyncio.TimerHandle | None = None  # the socket is not read until then
        self._held: deque[memoryview] | None = None  # made when needed: thousands of connections have no rate
        self._holding: asyncio.TimerHandle | None = None  # nothing is given to the socket until then
        self._finished = False

    def rerate(self) -> None:
        """Other rates hold: none of the old ones is waited for."""
        if self._resting is not None:
            self._resting.cancel()
            self._rested()
        if self._holding is not None:
            self._holding.cancel()
            self._release()

    # Called by the socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._socket = cast("asyncio.Transport", transport)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        size = len(data)
        self.bytes_in += size
        self._total.bytes_in += size
        super().data_received(data)
        rate = self._rates.rate_in
        if rate is not None:
            wait_s = rate.spend(size, monotonic())
            if wait_s and self._resting is None and self._socket is not None:
                self._socket.pause_reading()
                self._resting = self._loop.call_later(wait_s, self._rested)

    def connection_lost(self, exc: Exception | None) -> None:
        self._socket = None
        self._forget_held()
        super().connection_lost(exc)
        self._finish()

    # Called by the stream

    def drained(self) -> None:
        self._full = False
        if self._resting is None:
            super().drained()

    def received(self, data: bytes) -> None:
        if self._rates.rate_out is None and not self._held:
            self._pass_on(data)
            return
        self._held = self._held or deque()
        self._held.append(memoryview(data))
        if self._holding is None:
            self._release()

    def finished(self) -> None:
        if self._held:
            self._finished = True
        else:
            super().finished()

    def ended(self, error: YamuxError | None) -> None:
        if error is not None:
            self._forget_held()
        # The client that cannot reach its server resets the stream before any byte: worth a page.
        if error is not None and self._broken is not None and not self.bytes_out and self._socket is not None:
            socket, self._socket = self._socket, None
            if not socket.is_closing():
                self._broken(error, self.bytes_in > 0)
                super().connection_lost(None)  # it is in other hands
                self._finish()
                return
        super().ended(error)

    # Inside

    def _pass_on(self, data: bytes) -> None:
        size = len(data)
        self.bytes_out += size
        self._total.bytes_out += size
        super().received(data)

    def _rested(self) -> None:
        self._resting = None
        # A stream that is still full says when it is not: what is read until then it would have to hold.
        if not self._full and self._socket is not None and not self._socket.is_closing():
            super().drained()

    def _release(self) -> None:
        self._holding = None
        while self._held:
            chunk = self._held.popleft()
            if len(chunk) > SLICE:
                self._held.appendleft(chunk[SLICE:])
                chunk = chunk[:SLICE]
            self._pass_on(bytes(chunk))
            rate = self._rates.rate_out
            wait_s = rate.spend(len(chunk), monotonic()) if rate is not None else 0.0
            if wait_s:
                self._holding = self._loop.call_later(wait_s, self._release)
                break
        if self._finished and not self._held:
            self._finished = False
            super().finished()

    def _forget_held(self) -> None:
        self._held = None
        for timer in (self._resting, self._holding):
            if timer is not None:
                timer.cancel()
        self._resting = self._holding = None

    def _finish(self) -> None:
        self._broken = None
        on_end, self._on_end = self._on_end, _nothing
        on_end(self.bytes_in, self.bytes_out)


def _nothing(_bytes_in: int, _bytes_out: int) -> None:
    """Said already."""
