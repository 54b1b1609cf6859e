"""Connections of TCP and HTTP tunnels: a stream of the edge joined with a connection to the local server."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final, cast

from homeportd.tunnels import proxy_protocol
from homeportd.tunnels.http.messages import TooManyRequests
from homeportd.tunnels.protocol import MAX_INTRODUCTION, BadMessage, Introduction, Kind, introduction
from homeportd.tunnels.resolver import look_up
from homeportd.tunnels.tunnel import Tunnel
from homeportd.tunnels.udp import UdpConnection
from homeportd.yamux.bridge import Bridge
from homeportd.yamux.errors import YamuxError
from homeportd.yamux.stream import Stream

INTRODUCTION_S: Final = 10.0  # seconds for the first bytes of a stream
DIAL_S: Final = 10.0  # seconds for one host of the local server

_log = logging.getLogger(__name__)


class Connection(Bridge):
    """A bridge that leaves its tunnel at its end. The stream counts its bytes: no code runs here for each."""

    def __init__(self, stream: Stream, tunnel: Tunnel, introduction_size: int, preface: bytes = b"") -> None:
        super().__init__(stream)
        self._tunnel = tunnel
        self._preface = preface  # bytes for the local server ahead of the visitor's
        self._introduction_size = introduction_size  # bytes of the stream that are no payload

    @property
    def bytes_in(self) -> int:
        """Bytes from the visitor."""
        return self.stream.bytes_received - self._introduction_size

    @property
    def bytes_out(self) -> int:
        """Bytes to the visitor."""
        return self.stream.bytes_sent

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._preface:
            cast(asyncio.Transport, transport).write(self._preface)
        super().connection_made(transport)

    def ended(self, error: YamuxError | None) -> None:
        super().ended(error)
        self._tunnel.remove(self)


class HttpConnection(Connection):
    """A connection whose heads of HTTP/1.1 are rewritten, both ways."""

    def __init__(self, stream: Stream, tunnel: Tunnel, introduction_size: int, preface: bytes = b"") -> None:
        super().__init__(stream, tunnel, introduction_size, preface)
        self._exchange = tunnel.exchange()

    def received(self, data: bytes) -> None:
        if self._transport is None:
            return
        try:
            request = self._exchange.request(data)
        except TooManyRequests:
            self.abort()
            return
        if request:
            self._transport.write(request)
        if self._blocked:
            self._unused += len(data)
        else:
            self.stream.consumed(len(data))

    def finished(self) -> None:
        rest = self._exchange.request_end()
        if rest and self._transport is not None:
            self._transport.write(rest)
        super().finished()

    def data_received(self, data: bytes) -> None:
        response = self._exchange.response(data)
        if response:
            super().data_received(response)

    def eof_received(self) -> bool:
        rest = self._exchange.response_end()
        if rest:
            super().data_received(rest)
        return super().eof_received()


async def serve(stream: Stream, find: Callable[[str], Awaitable[Tunnel | None]]) -> None:
    """Join one stream that the edge opened with the local server of its tunnel. Returns when the two are joined, or
    the stream is reset. Raises CancelledError alone.

    `find`: the tunnel with an id of the edge; None for a tunnel of another client.
    """
    try:
        async with asyncio.timeout(INTRODUCTION_S):
            size = int.from_bytes(await stream.readexactly(2), "big")
            if not 0 < size <= MAX_INTRODUCTION:
                raise BadMessage(f"an introduction of {size} bytes")
            visitor = introduction(await stream.readexactly(size))
            tunnel = await find(visitor.tunnel)
        if tunnel is None:
            raise BadMessage(f"a visitor for tunnel {visitor.tunnel!r}, which is another client's")
        await _join(stream, tunnel, visitor, 2 + size)
    except (YamuxError, asyncio.IncompleteReadError, TimeoutError, BadMessage) as error:
        _log.debug("stream %d: %s", stream.id, error)
        stream.reset()
    except Exception:
        _log.exception("a visitor could not be served")
        stream.reset()
    except BaseException:
        stream.reset()
        raise


async def _join(stream: Stream, tunnel: Tunnel, visitor: Introduction, introduction_size: int) -> None:
    if tunnel.spec.kind is Kind.UDP:
        await UdpConnection.open(stream, tunnel)
        return
    kind = HttpConnection if tunnel.spec.kind is Kind.HTTP else Connection
    connection = kind(stream, tunnel, introduction_size, _preface(tunnel, visitor))
    tunnel.add(connection)
    reason = "no address"
    for address in tunnel.addresses():
        try:
            async with asyncio.timeout(DIAL_S):
                await _dial(connection, address, tunnel)
        except OSError as error:  # a time-out is one, too
            reason = str(error) or "time-out"
            continue
        except BaseException:
            tunnel.remove(connection)
            raise
        tunnel.prefer(address)
        return
    tunnel.failed += 1
    tunnel.remove(connection)
    stream.reset()  # before any byte: the edge answers with its error page
    if tunnel.warnings.take(monotonic()):
        _log.warning("%s: visitor %s turned away: %s", tunnel.spec.target, visitor.address, reason)


def _preface(tunnel: Tunnel, visitor: Introduction) -> bytes:
    if tunnel.spec.proxy_protocol is None:
        return b""
    server = visitor.server, tunnel.port or 0
    return proxy_protocol.header(tunnel.spec.proxy_protocol, (visitor.address, visitor.port), server)


async def _dial(connection: Connection, host: str, tunnel: Tunnel) -> None:
    """Connect to the first address of the host that answers, or to a unix socket. Raises OSError."""
    loop, failure = asyncio.get_running_loop(), OSError("no address")
    if tunnel.target.is_unix:
        await loop.create_unix_connection(lambda: connection, host)
        return
    for *_, address in await look_up(host, tunnel.target.port, socket.SOCK_STREAM):
        try:
            await loop.create_connection(lambda: connection, address[0], address[1])
        except OSError as error:
            failure = error
            continue
        return
    raise failure
