"""Visitors of UDP tunnels: a stream of the edge joined with a UDP socket of this visitor's own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from time import monotonic
from typing import Final, cast

from homeportd.tunnels.protocol import MAX_DATAGRAM
from homeportd.tunnels.tunnel import Tunnel
from homeportd.yamux.errors import YamuxError
from homeportd.yamux.stream import Stream

IDLE_S: Final = 120.0  # seconds without a datagram; the edge forgets a visitor after one minute
SOCKET_BUFFER: Final = 1024 * 1024  # bytes; the system's own may be less than one datagram (macOS)


class Datagrams(asyncio.DatagramProtocol):
    """The protocol of the socket, and the `Sink` of the stream.

    What there is no room for is dropped, as UDP does; what is passed on keeps its order. A local server may
    listen on one loopback address alone: nothing tells but an ICMP answer, upon which the next address gets the
    datagrams that were sent so far, as long as nothing came back.
    """

    def __init__(self, stream: Stream, tunnel: Tunnel) -> None:
        self.bytes_in = 0  # payload, without the lengths
        self.bytes_out = 0
        self.dropped = 0
        self._stream = stream
        self._tunnel = tunnel
        self._loop = stream.session.loop
        self._addresses = tunnel.addresses()
        self._address = ""
        self._transport: asyncio.DatagramTransport | None = None
        self._last = b""  # sent before the server has answered
        self._answered = False
        self._full = False  # the stream takes no more for now
        self._blocked = False  # the socket takes no more for now
        self._partial = bytearray()
        self._moved_at = monotonic()
        self._idle: asyncio.TimerHandle | None = None
        self._moving: asyncio.Task[None] | None = None
        self._over = False

    @classmethod
    async def begin(cls, stream: Stream, tunnel: Tunnel) -> None:
        """Join the stream with a socket. Raises OSError."""
        visit = cls(stream, tunnel)
        tunnel.arrive(visit)
        try:
            await visit._bind()
        except BaseException:
            visit.abort()
            raise
        visit._watch()
        stream.attach(visit)

    async def _bind(self) -> None:
        """A socket towards the next address."""
        source = (self._tunnel.wish.source, 0) if self._tunnel.wish.source else None
        failure: OSError | None = None
        while self._addresses:
            self._address = self._addresses.pop(0)
            try:
                await self._loop.create_datagram_endpoint(
                    lambda: self, remote_addr=(self._address, self._tunnel.target.port), local_addr=source
                )
            except OSError as error:
                failure = error
                continue
            return
        raise failure or OSError("no address")

    def abort(self) -> None:
        """End the visit."""
        self._stream.reset()
        self._end()

    def _watch(self) -> None:
        left = IDLE_S - (monotonic() - self._moved_at)
        if left <= 0:
            self._stream.close()
            self._end()
        else:
            self._idle = self._loop.call_later(left, self._watch)

    def _end(self) -> None:
        if self._over:
            return
        self._over = True
        if self._idle is not None:
            self._idle.cancel()
        if self._moving is not None:
            self._moving.cancel()
        if self._transport is not None:
            self._transport.abort()
        self._tunnel.leave(self)

    # Called by the socket's transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        before, self._transport = self._transport, cast(asyncio.DatagramTransport, transport)
        if before is not None:
            before.abort()
        if self._over:
            transport.close()
            return
        sock = transport.get_extra_info("socket")
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            with contextlib.suppress(OSError, AttributeError):
                if sock.getsockopt(socket.SOL_SOCKET, option) < SOCKET_BUFFER:
                    sock.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER)

    def datagram_received(self, data: bytes, addr: object) -> None:
        size = len(data)
        if not self._answered:
            self._answered = True
            self._last = b""
            self._tunnel.answered(self._address)
        self._moved_at = monotonic()
        if self._full or self._over or size > MAX_DATAGRAM:
            self.dropped += 1
            return
        try:
            self._full = not self._stream.write(size.to_bytes(2, "big") + data)
        except YamuxError:
            self._end()
            return
        self.bytes_out += size

    def pause_writing(self) -> None:
        self._blocked = True

    def resume_writing(self) -> None:
        self._blocked = False

    def error_received(self, exc: Exception) -> None:
        refused = isinstance(exc, ConnectionRefusedError)
        if refused and not self._answered and self._addresses and self._moving is None and not self._over:
            self._moving = self._loop.create_task(self._move())

    async def _move(self) -> None:
        """Try the next address, with what the last one did not get."""
        with contextlib.suppress(OSError):
            await self._bind()
            if self._last:
                self._send(self._last)
        self._moving = None

    # Called by the stream

    def received(self, data: bytes) -> None:
        self._stream.consumed(len(data))
        self._moved_at = monotonic()
        if self._partial:
            self._partial += data
            data = bytes(self._partial)
            self._partial.clear()
        at, end = 0, len(data)
        while end - at >= 2:
            size = int.from_bytes(data[at : at + 2], "big")
            if end - at - 2 < size:
                break
            if size > MAX_DATAGRAM:  # no datagram can be so long: the edge is out of step
                self.abort()
                return
            self._take(data[at + 2 : at + 2 + size])
            at += 2 + size
        self._partial += data[at:]

    def _take(self, payload: bytes) -> None:
        self.bytes_in += len(payload)
        if not self._answered:
            self._last = payload
        self._send(payload)

    def _send(self, payload: bytes) -> None:
        transport = self._transport
        if transport is None or self._over:
            return
        if self._blocked:
            self.dropped += 1
            return
        try:
            transport.sendto(payload)
        except OSError as error:  # uvloop raises what asyncio reports
            self.error_received(error)

    def finished(self) -> None:
        self._stream.close()
        self._end()

    def drained(self) -> None:
        self._full = False

    def ended(self, error: YamuxError | None) -> None:
        self._end()
