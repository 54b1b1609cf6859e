"""The bridge between a visitor's connection and its stream, which counts bytes and keeps to the tunnel's rate."""

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

SLICE: Final = 64 * 1024  # bytes taken from a held chunk at once


OnFailure = Callable[[YamuxError, bool], None]


class Rates(Protocol):
    """The rates of a tunnel at this moment; None: no limit."""

    rate_in: TokenBucket | None
    rate_out: TokenBucket | None


class MeteredBridge(Bridge):
    """A `Bridge` that counts, and keeps to the rates of its tunnel.

    From the visitor: the socket is not read while the rate is overdrawn. To the visitor: what came waits here
    unconsumed, so that the stream's window bounds it.

    `on_end(bytes in, bytes out)` is called once, when the connection is gone. `on_failure(error, asked)` is called
    instead of a reset when the client sent no byte at all, and takes the connection over; `asked`: the visitor sent
    something.
    """

    def __init__(
        self,
        stream: Stream,
        stats: Stats,
        rates: Rates,
        on_end: Callable[[int, int], None],
        on_failure: OnFailure | None = None,
    ) -> None:
        super().__init__(stream)
        self.bytes_in = 0
        self.bytes_out = 0
        self._total = stats.total
        self._rates = rates
        self._on_end = on_end
        self._on_failure = on_failure
        self._loop = stream.session.loop
        self._socket: asyncio.Transport | None = None
        self._read_timer: asyncio.TimerHandle | None = None  # the socket is not read until it fires
        self._held: deque[memoryview] | None = None  # made when needed: thousands of connections have no rate
        # Nothing is written to the socket until it fires.
        self._write_timer: asyncio.TimerHandle | None = None
        self._finished = False

    def rates_changed(self) -> None:
        """Go on at once after the tunnel's rates have changed."""
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._resume_reading()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_held()

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
            if wait_s and self._read_timer is None and self._socket is not None:
                self._socket.pause_reading()
                self._read_timer = self._loop.call_later(wait_s, self._resume_reading)

    def connection_lost(self, exc: Exception | None) -> None:
        self._socket = None
        self._forget_held()
        super().connection_lost(exc)
        self._finish()

    # Called by the stream

    def drained(self) -> None:
        self._full = False
        if self._read_timer is None:
            super().drained()

    def received(self, data: bytes) -> None:
        if self._rates.rate_out is None and not self._held:
            self._write(data)
            return
        self._held = self._held or deque()
        self._held.append(memoryview(data))
        if self._write_timer is None:
            self._write_held()

    def finished(self) -> None:
        if self._held:
            self._finished = True
        else:
            super().finished()

    def ended(self, error: YamuxError | None) -> None:
        if error is not None:
            self._forget_held()
        # A client that cannot reach its server resets the stream before any byte: the visitor gets a page.
        if (
            error is not None
            and self._on_failure is not None
            and not self.bytes_out
            and self._socket is not None
        ):
            socket, self._socket = self._socket, None
            if not socket.is_closing():
                self._on_failure(error, self.bytes_in > 0)
                super().connection_lost(None)  # `on_failure` has taken it over
                self._finish()
                return
        super().ended(error)

    # Inside

    def _write(self, data: bytes) -> None:
        size = len(data)
        self.bytes_out += size
        self._total.bytes_out += size
        super().received(data)

    def _resume_reading(self) -> None:
        self._read_timer = None
        # A stream that is still full calls `drained` later; what is read until then it would have to hold.
        if not self._full and self._socket is not None and not self._socket.is_closing():
            super().drained()

    def _write_held(self) -> None:
        self._write_timer = None
        while self._held:
            chunk = self._held.popleft()
            if len(chunk) > SLICE:
                self._held.appendleft(chunk[SLICE:])
                chunk = chunk[:SLICE]
            self._write(bytes(chunk))
            rate = self._rates.rate_out
            wait_s = rate.spend(len(chunk), monotonic()) if rate is not None else 0.0
            if wait_s:
                self._write_timer = self._loop.call_later(wait_s, self._write_held)
                break
        if self._finished and not self._held:
            self._finished = False
            super().finished()

    def _forget_held(self) -> None:
        self._held = None
        for timer in (self._read_timer, self._write_timer):
            if timer is not None:
                timer.cancel()
        self._read_timer = self._write_timer = None

    def _finish(self) -> None:
        self._on_failure = None
        on_end, self._on_end = self._on_end, _nothing
        on_end(self.bytes_in, self.bytes_out)


def _nothing(_bytes_in: int, _bytes_out: int) -> None:
    """`on_end` was called already."""
