"""Connections of TCP and HTTP tunnels: a stream of the edge joined with a connection to the local server."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, Final, cast

from homeportd.tunnels import probes, proxy_protocol, trust
from homeportd.tunnels.address import is_loopback
from homeportd.tunnels.http.first_bytes import FirstBytes, recognise
from homeportd.tunnels.http.messages import TooManyRequests
from homeportd.tunnels.protocol import MAX_INTRODUCTION, BadMessage, Introduction, Kind, introduction
from homeportd.tunnels.resolver import look_up
from homeportd.tunnels.tunnel import Speaks, Tunnel
from homeportd.tunnels.udp import UdpConnection
from homeportd.yamux.bridge import Bridge
from homeportd.yamux.errors import YamuxError
from homeportd.yamux.stream import Stream

INTRODUCTION_S: Final = 10.0  # seconds for the first bytes of a stream
DIAL_S: Final = 10.0  # seconds for one host of the local server
MAX_ASKED: Final = (
    64 * 1024
)  # bytes of a request that are kept until its server is known to speak HTTP without TLS

_log = logging.getLogger(__name__)


class Connection(Bridge):
    """A bridge that leaves its tunnel at its end. The stream counts its bytes: no code runs here for each."""

    def __init__(self, stream: Stream, tunnel: Tunnel, introduction_size: int, preface: bytes = b"") -> None:
        super().__init__(stream)
        self._tunnel = tunnel
        self._preface = preface  # bytes for the local server ahead of the visitor's
        self._introduction_size = introduction_size  # bytes of the stream that are no payload
        self.server: tuple[str, int] = ("", 0)  # the address that was dialled

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
    """A connection whose heads of HTTP/1.1 are rewritten, both ways.

    The first bytes of the first response say what the server speaks. One that wants TLS is dialled again, and gets the
    request once more: without TLS it has understood nothing of it.
    """

    def __init__(self, stream: Stream, tunnel: Tunnel, introduction_size: int, preface: bytes = b"") -> None:
        super().__init__(stream, tunnel, introduction_size, preface)
        self._exchange = tunnel.exchange()
        self._recognised = (
            tunnel.speaks == "https" or tunnel.target.is_unix or tunnel.target.scheme is not None
        )
        self._asked: bytearray | None = bytearray()  # what came from the visitor until then; None: too much
        self._answered = b""  # what came from the server until then
        self._waiting = 0  # bytes of `asked` that came while there was no connection
        self._probe: asyncio.Task[None] | None = None

    # Called by the stream

    def received(self, data: bytes) -> None:
        if not self._recognised and self._asked is not None:
            self._asked += data
            if len(self._asked) > MAX_ASKED and self._transport is not None:
                self._asked = None
        if self._transport is None:
            self._waiting += len(data)  # the stream's window bounds it
            return
        self._send(data)
        if self._blocked:
            self._unused += len(data)
        else:
            self.stream.consumed(len(data))

    def finished(self) -> None:
        rest = self._exchange.request_end()
        if rest and self._transport is not None:
            self._transport.write(rest)
        super().finished()

    def ended(self, error: YamuxError | None) -> None:
        super().ended(error)
        if self._probe is not None and self._probe is not asyncio.current_task():
            self._probe.cancel()

    # Called by the socket's transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._probe is None:
            super().connection_made(transport)
            return
        self._transport = cast("asyncio.Transport", transport)
        if self.stream.is_over:
            self._transport.abort()
            return
        self._send(bytes(self._asked or b""))
        self._asked = None
        self.stream.consumed(self._waiting)

    def data_received(self, data: bytes) -> None:
        if not self._recognised:
            self._answered += data
            first = recognise(self._answered)
            if first is None or not self._passes(first):
                return
            data, self._answered = self._answered, b""
        response = self._exchange.response(data)
        if response:
            super().data_received(response)

    def eof_received(self) -> bool:
        if self._wants_probe():
            return False  # `connection_lost` follows
        rest = self._answered + self._exchange.response_end()
        if rest:
            super().data_received(rest)
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._wants_probe() and self._probe is None:
            self._transport = None
            self._begin_probe()
            return
        super().connection_lost(exc)

    # Inside

    def _send(self, data: bytes) -> None:
        try:
            request = self._exchange.request(data)
        except TooManyRequests:
            self.abort()
            return
        if request and self._transport is not None:
            self._transport.write(request)

    def _wants_probe(self) -> bool:
        """Whether the server has ended the connection instead of answering, as some do that want TLS."""
        asked = self._asked is None or bool(self._asked)
        return asked and not (self._recognised or self._answered or self.stream.is_over)

    def _passes(self, first: FirstBytes) -> bool:
        """Whether the response goes to the visitor; else the server is probed."""
        unclear = first is FirstBytes.BAD_REQUEST and self._tunnel.recognised is None
        if unclear or first in (FirstBytes.TLS, FirstBytes.HTTP2):
            if self._transport is not None:
                self._transport.pause_reading()
            self._begin_probe()
            return False
        if first is FirstBytes.OTHER:
            self._refuse()
            return False
        self._recognise("http")
        return True

    def _refuse(self) -> None:
        """Let the edge show its error page: Traefik could not read the server's protocol either."""
        self._recognise("other")
        self.abort()

    def _recognise(self, speaks: Speaks) -> None:
        self._recognised = True
        self._tunnel.recognise(speaks)

    def _begin_probe(self) -> None:
        if self._probe is None:
            self._probe = asyncio.create_task(self._probe_server())

    async def _probe_server(self) -> None:
        try:
            await self._dial_again()
        except OSError as error:
            _log.debug("stream %d: %s", self.stream.id, error)
            self.stream.reset()
        except BaseException:
            self.stream.reset()
            raise

    async def _dial_again(self) -> None:
        """Find out what the server speaks, and go on with that. Raises OSError."""
        if await probes.speaks_tls(*self.server):
            self._recognise("https")
            if self._asked is None:
                self.abort()  # too much was sent to say it again: the next request will do
                return
            self._drop_socket()
            self._exchange = self._tunnel.exchange()
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: self, *self.server, **_tls_options(self._tunnel))
        elif not self._answered.startswith(b"HTTP/") and await probes.speaks_http2(*self.server):
            self._recognise("h2c")
            self.abort()
        elif self._transport is None:
            self.stream.reset()
        else:
            if not self._answered.startswith(b"HTTP/"):
                self._refuse()
                return
            self._recognise("http")
            answered, self._answered = self._answered, b""
            self.data_received(answered)
            if not self._full and self._transport is not None:
                self._transport.resume_reading()

    def _drop_socket(self) -> None:
        before, self._transport = self._transport, None
        if before is not None:
            before.set_protocol(asyncio.Protocol())
            before.abort()
        self._blocked, self._answered = False, b""
        self._waiting += self._unused
        self._unused = 0


class Http2Connection(Connection):
    """A connection to a server that speaks HTTP/2 without TLS, as the edge's Traefik does with it."""

    def data_received(self, data: bytes) -> None:
        if self._tunnel.target.scheme is None and not self.bytes_out and data.startswith(b"HTTP/1."):
            self._tunnel.recognise("http")  # another server than before
            self.abort()
            return
        super().data_received(data)


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
    connection = _connection_type(tunnel)(stream, tunnel, introduction_size, _preface(tunnel, visitor))
    tunnel.add(connection)
    reason = "no address"
    for address in tunnel.addresses():
        try:
            async with asyncio.timeout(DIAL_S):
                await _dial(connection, address, tunnel)
        except OSError as error:  # a time-out is one, too
            reason = str(error) or "time-out"
            tunnel.dial_failed(error)
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


def _connection_type(tunnel: Tunnel) -> type[Connection]:
    if tunnel.spec.kind is not Kind.HTTP:
        return Connection
    return Http2Connection if tunnel.speaks == "h2c" else HttpConnection


async def _dial(connection: Connection, host: str, tunnel: Tunnel) -> None:
    """Connect to the first address of the host that answers, or to a unix socket. Raises OSError."""
    loop, failure = asyncio.get_running_loop(), OSError("no address")
    if tunnel.target.is_unix:
        await loop.create_unix_connection(lambda: connection, host)
        return
    for *_, address in await look_up(host, tunnel.target.port, socket.SOCK_STREAM):
        connection.server = address[0], address[1]
        options = _tls_options(tunnel) if tunnel.speaks == "https" else {}
        try:
            await loop.create_connection(lambda: connection, *connection.server, **options)
        except OSError as error:
            failure = error
            continue
        return
    raise failure


def _tls_options(tunnel: Tunnel) -> dict[str, Any]:
    """TLS to the local server; on loopback its certificate is not verified. Raises OSError."""
    local = is_loopback(tunnel.target.host)
    return {
        "ssl": trust.server_context(verified=not local),
        "server_hostname": probes.SERVER_NAME if local else tunnel.target.host,
        "ssl_handshake_timeout": DIAL_S,
    }
