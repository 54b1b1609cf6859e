"""The TCP listener of a tunnel: on its own port, or on loopback for an HTTP name, where Traefik connects."""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from ipaddress import ip_address
from time import monotonic
from typing import Final, cast

from homeportd.connection_peers import ConnectionPeers
from homeportd.edge import error_page
from homeportd.edge.connections.client import Offline
from homeportd.edge.error_page import ErrorPage
from homeportd.edge.listeners.metered_bridge import MeteredBridge
from homeportd.edge.tunnel import Tunnel
from homeportd.networks import Address
from homeportd.tunnels.limits import descriptors_for_visitors
from homeportd.tunnels.protocol import Kind
from homeportd.yamux.bridge import RESET_ON_CLOSE
from homeportd.yamux.errors import SessionClosed, YamuxError
from homeportd.yamux.stream import Stream

BACKLOG: Final = 1024
MAX_EARLY: Final = 256 * 1024  # bytes that a loop may hand over before reading has stopped


class TcpListener:
    """Joins each connection with a stream to the client that holds the tunnel.

    `peers`: whose programs may connect, for an HTTP name, where that is Traefik's user.
    """

    def __init__(
        self, tunnel: Tunnel, sockets: list[socket.socket], peers: ConnectionPeers | None = None
    ) -> None:
        self._tunnel = tunnel
        self.peers = peers
        self._sockets = sockets
        self._servers: list[asyncio.Server] = []
        self._bridges: dict[MeteredBridge, Address] = {}
        self.port = int(sockets[0].getsockname()[1])
        self._dialling: set[asyncio.Task[None]] = set()  # connections whose stream is being opened
        self.error_pages: set[ErrorPage] = set()
        self.retired = False
        self.descriptors = descriptors_for_visitors()

    async def start(self) -> None:
        """Begin to accept."""
        loop = asyncio.get_running_loop()
        for sock in self._sockets:
            server = await loop.create_server(
                partial(_PendingVisitor, self, self._tunnel), sock=sock, backlog=BACKLOG
            )
            self._servers.append(server)

    @property
    def open(self) -> int:
        """Connections at this moment."""
        return len(self._bridges) + len(self._dialling)

    def close(self) -> None:
        """Stop accepting. Connections go on."""
        for server in self._servers:
            server.close()
        if not self._servers:
            for sock in self._sockets:
                sock.close()

    def retire(self) -> None:
        """Let no visitor through any more, since another listener of the tunnel has taken over.

        Visitors who still come by the old route get a page that tries again, until `close`.
        """
        self.retired = True
        self.cut()
        for task in self._dialling:
            task.cancel()

    def recheck(self) -> None:
        """End connections that the rules do not allow any more; the others get the new rates.

        Of HTTP all end: Traefik alone knows which visitor a connection belongs to.
        """
        for bridge, address in list(self._bridges.items()):
            if self._tunnel.reservation.kind is Kind.HTTP or not self._tunnel.admits(address):
                bridge.abort()
            else:
                bridge.rates_changed()
        if self._tunnel.reservation.kind is Kind.HTTP:
            for task in self._dialling:
                task.cancel()

    def cut(self) -> None:
        """End every connection."""
        for bridge in list(self._bridges):
            bridge.abort()

    def end(self) -> None:
        """End every connection and every error page, so that none outlives its listener."""
        self.cut()
        for each in list(self.error_pages):
            each.abort()

    def connect(
        self, visitor: _PendingVisitor, transport: asyncio.Transport, address: Address, port: int
    ) -> None:
        """Begin to dial the client for a connection."""
        task = self._tunnel.spawn(self._dial(visitor, transport, address, port))
        self._dialling.add(task)
        task.add_done_callback(partial(self._dialled, visitor, transport))

    def _dialled(
        self, visitor: _PendingVisitor, transport: asyncio.Transport, task: asyncio.Task[None]
    ) -> None:
        # Not within the task: one that is cancelled before its first step never gets to its own `except`.
        self._dialling.discard(task)
        if not task.cancelled():
            return
        if self.retired and self._tunnel.has_error_pages:
            visitor.send_error_page(error_page.MOVED)
        else:  # the tunnel was closed
            reset(transport)

    async def _dial(
        self, visitor: _PendingVisitor, transport: asyncio.Transport, address: Address, port: int
    ) -> None:
        """Join a connection with a stream to the client, or answer why it cannot be."""
        tunnel = self._tunnel
        server = None
        if tunnel.options.proxy_protocol and (local := transport.get_extra_info("sockname")):
            server = ip_address(local[0])
        try:
            stream = await tunnel.dial(address, port, server)
        except Offline:
            tunnel.refuse(address, port)
            if tunnel.has_error_pages:
                visitor.send_error_page(error_page.OFFLINE)
            else:
                reset(transport)
            return
        if transport.is_closing():
            stream.reset()
            return
        if not tunnel.admits(address):  # since a moment ago
            tunnel.refuse(address, port)
            stream.reset()
            reset(transport)
            return
        self._join(visitor, transport, stream, address, port)

    def _join(
        self,
        visitor: _PendingVisitor,
        transport: asyncio.Transport,
        stream: Stream,
        address: Address,
        port: int,
    ) -> None:
        """Hand a connection over to a bridge to its stream."""
        tunnel = self._tunnel
        web = tunnel.reservation.kind is Kind.HTTP
        begun = monotonic()
        stats = tunnel.stats

        def ended(bytes_in: int, bytes_out: int) -> None:
            self._bridges.pop(bridge, None)
            stats.open -= 1
            if not web:
                took = int((monotonic() - begun) * 1000)
                tunnel.log("close", address, port, bytes_in=bytes_in, bytes_out=bytes_out, duration_ms=took)

        on_failure = visitor.show_failure if tunnel.has_error_pages else None
        bridge = MeteredBridge(stream, stats, tunnel, ended, on_failure)
        self._bridges[bridge] = address
        stats.open += 1
        stats.total.connections += 1
        if not web:
            tunnel.log("open", address, port)
        transport.set_protocol(bridge)
        bridge.connection_made(transport)
        if visitor.early:
            early = bytes(visitor.early)
            visitor.early.clear()
            bridge.data_received(early)
        if visitor.ended:
            bridge.eof_received()
        if not transport.is_closing():
            transport.resume_reading()


class _PendingVisitor(asyncio.Protocol):
    """The protocol of a visitor's connection until its stream is there: checked first, and not read."""

    def __init__(self, listener: TcpListener, tunnel: Tunnel) -> None:
        self._listener = listener
        self._tunnel = tunnel
        self._transport: asyncio.Transport | None = None
        self.early = bytearray()
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        peer = self._transport.get_extra_info("peername")
        if not peer:  # gone already
            self._transport.abort()
            return
        address, port = ip_address(peer[0]), int(peer[1])
        tunnel = self._tunnel
        peers = self._listener.peers
        if not tunnel.admits(address) or (peers is not None and not peers.admits(self._transport)):
            tunnel.refuse(address, port)
            reset(self._transport)
        elif self._listener.retired and tunnel.has_error_pages:
            self.send_error_page(error_page.MOVED)
        elif (
            self._listener.retired
            or self._listener.open >= tunnel.rules.connections
            or self._descriptors_short()
        ):
            tunnel.refuse(address, port)
            if tunnel.has_error_pages:
                self.send_error_page(error_page.BUSY)
            else:
                reset(self._transport)
        else:
            self._transport.pause_reading()
            self._listener.connect(self, self._transport, address, port)

    def data_received(self, data: bytes) -> None:
        self.early += data
        if len(self.early) > MAX_EARLY and self._transport is not None:
            reset(self._transport)

    def eof_received(self) -> bool:
        self.ended = True
        return True

    def _descriptors_short(self) -> bool:
        """Whether file descriptors run short: the kernel gives the lowest free number."""
        assert self._transport is not None  # noqa: S101 - the caller has one
        sock = self._transport.get_extra_info("socket")
        return sock is not None and int(sock.fileno()) >= self._listener.descriptors

    def show_failure(self, error: YamuxError, asked: bool) -> None:
        """Answer with the page for a failed stream: the client is gone, or the server behind it."""
        gone = isinstance(error, SessionClosed)
        self.send_error_page(error_page.OFFLINE if gone else error_page.SILENT, asked)

    def send_error_page(self, answer: bytes, asked: bool = False) -> None:
        """Answer with an error page; `asked`: the visitor has sent more than `early`.

        The page waits for a request: for Traefik an answer without one is a broken connection, and a 500.
        """
        if self._transport is not None and not self._transport.is_closing():
            asked = asked or bool(self.early)
            open_pages = self._listener.error_pages
            ErrorPage.take_over(self._transport, answer, asyncio.get_running_loop(), open_pages, asked=asked)


def reset(transport: asyncio.Transport) -> None:
    """End a connection so that its peer sees a reset."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    transport.abort()
