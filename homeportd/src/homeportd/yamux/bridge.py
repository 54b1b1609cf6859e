"""Join a stream with a socket: bytes, half-closes, resets and back-pressure both ways, by callbacks."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from typing import cast

from homeportd.yamux.errors import YamuxError
from homeportd.yamux.stream import Stream

# SO_LINGER on, 0 seconds: the abort of a transport then reaches its peer as a reset, not as an orderly end.
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Bridge(asyncio.Protocol):
    """The protocol of the socket's transport, and the `Sink` of the stream.

    For `loop.create_connection(lambda: Bridge(stream), …)`, or `join` for a transport that is connected.
    A socket that is not read stops the stream's sender; a stream that is not read stops the socket's.
    """

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._transport: asyncio.Transport | None = None
        self._blocked = False  # the socket takes no more for now
        self._full = False  # the stream takes no more for now
        self._unused = 0  # bytes given to the socket's transport while it was blocked
        self._socket_ended = False
        self._stream_ended = False
        self._closed: asyncio.Future[None] = stream.session.loop.create_future()

    @classmethod
    def join(cls, stream: Stream, transport: asyncio.Transport, received: bytes = b"") -> Bridge:
        """Take over a connected transport and the bytes that arrived on it already."""
        bridge = cls(stream)
        transport.set_protocol(bridge)
        bridge.connection_made(transport)
        if received:
            bridge.data_received(received)
        return bridge

    async def wait_closed(self) -> None:
        """Wait until the socket is gone and the stream is over."""
        await asyncio.shield(self._closed)
        await self.stream.wait_closed()

    def abort(self) -> None:
        """End both sides abruptly."""
        self.stream.reset()
        self._reset_socket()

    # Called by the socket's transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclasses
        self.stream.attach(self)

    def data_received(self, data: bytes) -> None:
        try:
            more = self.stream.write(data)
        except YamuxError:
            self._reset_socket()
            return
        self._full = not more
        if self._full and self._transport is not None:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        self._socket_ended = True
        self.stream.write_eof()
        self._close_if_ended()
        return True  # the other direction goes on

    def pause_writing(self) -> None:
        self._blocked = True

    def resume_writing(self) -> None:
        self._blocked = False
        unused, self._unused = self._unused, 0
        self.stream.consumed(unused)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if exc is not None or not (self._socket_ended and self._stream_ended):
            self.stream.reset()
        else:
            self.stream.close()
        if not self._closed.done():
            self._closed.set_result(None)

    # Called by the stream

    def received(self, data: bytes) -> None:
        if self._transport is None:
            return
        self._transport.write(data)
        if self._blocked:
            self._unused += len(data)
        else:
            self.stream.consumed(len(data))

    def finished(self) -> None:
        self._stream_ended = True
        if self._transport is not None and not self._socket_ended and self._transport.can_write_eof():
            with contextlib.suppress(OSError):  # the socket may be gone already; connection_lost follows
                self._transport.write_eof()
        self._close_if_ended()

    def drained(self) -> None:
        self._full = False
        if self._transport is not None:
            self._transport.resume_reading()

    def ended(self, error: YamuxError | None) -> None:
        if error is not None:
            self._reset_socket()

    # Inside

    def _close_if_ended(self) -> None:
        transport = self._transport
        if transport is None or not self._stream_ended:
            return
        if self._socket_ended or not transport.can_write_eof():
            self._socket_ended = True
            self.stream.write_eof()
            transport.close()

    def _reset_socket(self) -> None:
        if self._transport is None:
            return
        sock = self._transport.get_extra_info("socket")
        if sock is not None and sock.family in {socket.AF_INET, socket.AF_INET6}:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self._transport.abort()
