"""Connections of UDP tunnels: a stream of the edge for each visitor, joined with a UDP socket of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from time import monotonic
from typing import Final

from homeportd.socket_reader import SocketReader
from homeportd.tunnels.datagrams import CLIENT_IDLE_S, BadLength, Datagrams
from homeportd.tunnels.protocol import MAX_DATAGRAM
from homeportd.tunnels.resolver import look_up
from homeportd.tunnels.tunnel import Tunnel
from homeportd.yamux.errors import YamuxError
from homeportd.yamux.stream import Stream

SOCKET_BUFFER: Final = 1024 * 1024  # bytes; the system's own may be less than one datagram (macOS)
MAX_UNANSWERED: Final = 64  # datagrams that are kept for another address, until the server has answered
MAX_UNANSWERED_BYTES: Final = 256 * 1024
READ_SIZE: Final = 65_536
MAX_PARTS: Final = 2 * 64  # lengths and datagrams that are read of one visitor before others have their turn
MAX_READ_BYTES: Final = 256 * 1024


class UdpConnection:
    """The datagrams of one visitor: the socket to the local server, and the `Sink` of the stream.

    Datagrams for which there is no room are dropped, as UDP does; the others keep their order. A local server may
    listen on one loopback address alone, and stop and start again: only an ICMP answer shows either. After one, the
    other addresses get what the server has not answered yet; when all have refused it, it is dropped, and the
    next datagram goes round again.

    The socket is a plain one: asyncio's and uvloop's transports do not send empty datagrams, and queue others.
    """

    def __init__(self, stream: Stream, tunnel: Tunnel) -> None:
        self.bytes_in = 0  # payload, without the lengths
        self.bytes_out = 0
        self.dropped = 0
        self._stream = stream
        self._tunnel = tunnel
        self._loop = stream.session.loop
        self._addresses = tunnel.addresses()
        self._at = -1  # the index of the present one
        self._refused = 0  # addresses that refused what is unanswered
        self._socket: socket.socket | None = None
        self._reader: SocketReader | None = None  # of that socket
        self._unanswered: list[bytes] = []
        self._unanswered_bytes = 0
        self._answered = False
        self._full = False  # the stream takes no more for now
        self._datagrams = Datagrams()
        self._moved_at = monotonic()
        self._idle: asyncio.TimerHandle | None = None
        self._switching: asyncio.Task[None] | None = None
        self._over = False

    @classmethod
    async def open(cls, stream: Stream, tunnel: Tunnel) -> None:
        """Join the stream with a socket. Raises OSError."""
        connection = cls(stream, tunnel)
        tunnel.add(connection)
        try:
            await connection._connect_next()
        except BaseException:
            connection.abort()
            raise
        connection._check_idle()
        stream.attach(connection)

    async def _connect_next(self) -> None:
        """Connect a socket to the next address that can be reached. Raises OSError."""
        failure: OSError | None = None
        for _ in self._addresses:
            self._at = (self._at + 1) % len(self._addresses)
            try:
                made = await self._connect(self._addresses[self._at])
            except OSError as error:
                failure = error
                continue
            self._drop_socket()
            if self._over:
                made.close()
                return
            self._socket = made
            self._reader = SocketReader(made, self._readable)
            return
        raise failure or OSError("no address")

    async def _connect(self, host: str) -> socket.socket:
        """A connected socket: the kernel drops datagrams of others, and reports ICMP answers. Raises OSError."""
        failure: OSError | None = None
        for family, kind, proto, _, address in await look_up(
            host, self._tunnel.target.port, socket.SOCK_DGRAM
        ):
            made = socket.socket(family, kind, proto)
            try:
                made.setblocking(False)
                _enlarge_buffers(made)
                made.connect(address)
            except OSError as error:
                made.close()
                failure = error
                continue
            return made
        raise failure or OSError("no address")

    def abort(self) -> None:
        """End the connection."""
        self._stream.reset()
        self._end()

    def _check_idle(self) -> None:
        left = CLIENT_IDLE_S - (monotonic() - self._moved_at)
        if left <= 0:
            self._stream.close()
            self._end()
        else:
            self._idle = self._loop.call_later(left, self._check_idle)

    def _end(self) -> None:
        if self._over:
            return
        self._over = True
        if self._idle is not None:
            self._idle.cancel()
        if self._switching is not None:
            self._switching.cancel()
        self._drop_socket()
        self._tunnel.remove(self)

    def _drop_socket(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    # From the local server

    def _readable(self) -> None:
        """Pass datagrams on to the visitor, a batch in one write."""
        batch: list[bytes] = []
        size = 0
        while self._socket is not None and len(batch) < MAX_PARTS and size < MAX_READ_BYTES:
            try:
                data = self._socket.recv(READ_SIZE)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                self._failed(error)
                break
            self._note_answer()
            if self._full or len(data) > MAX_DATAGRAM:
                self.dropped += 1
                continue
            batch += (len(data).to_bytes(2, "big"), data)
            size += len(data)
        if not batch or self._over:
            return
        try:
            self._full = not self._stream.write(b"".join(batch))
        except YamuxError:
            self._end()
            return
        self.bytes_out += size

    def _note_answer(self) -> None:
        self._moved_at = monotonic()
        if not self._answered:
            self._answered = True
            self._forget_unanswered()
            self._tunnel.prefer(self._addresses[self._at])

    def _forget_unanswered(self) -> None:
        self._refused = self._unanswered_bytes = 0
        self._unanswered.clear()

    def _failed(self, error: OSError) -> None:
        """Handle an error of the socket: ECONNREFUSED is an ICMP answer, nothing listens at this address."""
        if self._reader is not None:
            self._reader.renew()
        if not isinstance(error, ConnectionRefusedError) or self._switching is not None or self._over:
            return
        if self._answered:  # the server has stopped: the next datagram looks for it, here first
            self._answered = False
            return
        self._refused += 1
        if self._refused < len(self._addresses):
            self._switching = self._loop.create_task(self._switch())
        else:
            self._forget_unanswered()

    async def _switch(self) -> None:
        """Send the unanswered datagrams to the next address."""
        with contextlib.suppress(OSError):
            await self._connect_next()
        self._switching = None
        for payload in list(self._unanswered):
            self._send(payload)

    # Called by the stream

    def received(self, data: bytes) -> None:
        self._stream.consumed(len(data))
        self._moved_at = monotonic()
        try:
            for payload in self._datagrams.feed(data):
                self._take(payload)
        except BadLength:
            self.abort()

    def _take(self, payload: bytes) -> None:
        size = len(payload)
        self.bytes_in += size
        if len(self._addresses) > 1 and not self._answered and len(self._unanswered) < MAX_UNANSWERED:
            self._unanswered_bytes += size
            if self._unanswered_bytes <= MAX_UNANSWERED_BYTES:
                self._unanswered.append(payload)
        self._send(payload)

    def _send(self, payload: bytes) -> None:
        if self._socket is None:
            return
        try:
            self._socket.send(payload)
        except BlockingIOError:
            self.dropped += 1
        except OSError as error:
            self.dropped += 1
            self._failed(error)

    def finished(self) -> None:
        self._stream.close()
        self._end()

    def drained(self) -> None:
        self._full = False

    def ended(self, error: YamuxError | None) -> None:
        self._end()


def _enlarge_buffers(made: socket.socket) -> None:
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        with contextlib.suppress(OSError):
            if made.getsockopt(socket.SOL_SOCKET, option) < SOCKET_BUFFER:
                made.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER)
