"""The TCP listener of a tunnel: of its own port, or on loopback for an HTTP name, where Traefik comes."""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from ipaddress import ip_address
from time import monotonic
from typing import Final, cast

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


class StreamListener:
    """Hands each connection to the client that holds the tunnel."""

    def __init__(self, tunnel: Tunnel, sockets: list[socket.socket]) -> None:
        self._tunnel = tunnel
        self._sockets = sockets
        self._servers: list[asyncio.Server] = []
        self._carriers: dict[MeteredBridge, Address] = {}
        self.port = int(sockets[0].getsockname()[1])
        self._arriving: set[asyncio.Task[None]] = set()  # connections whose stream is being opened
        self.apologies: set[ErrorPage] = set()
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
        return len(self._carriers) + len(self._arriving)

    def close(self) -> None:
        """Accept no more; what is connected goes on."""
        for server in self._servers:
            server.close()
        if not self._servers:
            for sock in self._sockets:
                sock.close()

    def retire(self) -> None:
        """Give way to another listener of the tunnel: nobody gets to the client by this one any more.

        Whoever still comes, by a route of before, is asked to try again, until `close`.
        """
        self.retired = True
        self.cut()
        for task in self._arriving:
            task.cancel()

    def recheck(self) -> None:
        """End what the rules do not allow any more, and hold the rest to their rates; of HTTP end all: Traefik alone
        knows whose is whose."""
        for carrier, address in list(self._carriers.items()):
            if self._tunnel.reservation.kind is Kind.HTTP or not self._tunnel.admits(address):
                carrier.abort()
            else:
                carrier.rerate()
        if self._tunnel.reservation.kind is Kind.HTTP:
            for task in self._arriving:
                task.cancel()

    def cut(self) -> None:
        """End every connection."""
        for carrier in list(self._carriers):
            carrier.abort()

    def end(self) -> None:
        """As `cut`, and nobody gets a page: it would be a connection that outlives its listener."""
        self.cut()
        for each in list(self.apologies):
            each.abort()

    def welcome(
        self, arrival: _PendingVisitor, transport: asyncio.Transport, address: Address, port: int
    ) -> None:
        """Begin to join a connection with a stream."""
        task = self._tunnel.spawn(self._carry(arrival, transport, address, port))
        self._arriving.add(task)
        task.add_done_callback(partial(self._arrived, arrival, transport))

    def _arrived(
        self, arrival: _PendingVisitor, transport: asyncio.Transport, task: asyncio.Task[None]
    ) -> None:
        # Not within the task: one that is cancelled before its first step never gets to its own `except`.
        self._arriving.discard(task)
        if not task.cancelled():
            return
        if self.retired:
            arrival.send_error_page(error_page.MOVED)
        else:  # the tunnel was closed
            reset(transport)

    async def _carry(
        self, arrival: _PendingVisitor, transport: asyncio.Transport, address: Address, port: int
    ) -> None:
        """Join it, or say why not."""
        tunnel = self._tunnel
        web = tunnel.reservation.kind is Kind.HTTP
        try:
            stream = await tunnel.dial(address, port)
        except Offline:
            tunnel.refuse(address, port)
            if web:
                arrival.send_error_page(error_page.OFFLINE)
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
        self._join(arrival, transport, stream, address, port)

    def _join(
        self,
        arrival: _PendingVisitor,
        transport: asyncio.Transport,
        stream: Stream,
        address: Address,
        port: int,
    ) -> None:
        """Let a connection and its stream go on by themselves."""
        tunnel = self._tunnel
        web = tunnel.reservation.kind is Kind.HTTP
        begun = monotonic()
        stats = tunnel.stats

        def ended(bytes_in: int, bytes_out: int) -> None:
            self._carriers.pop(carrier, None)
            stats.open -= 1
            if not web:
                took = int((monotonic() - begun) * 1000)
                tunnel.note("close", address, port, bytes_in=bytes_in, bytes_out=bytes_out, duration_ms=took)

        broken = arrival.error_page if web else None
        carrier = MeteredBridge(stream, stats, tunnel, ended, broken)
        self._carriers[carrier] = address
        stats.open += 1
        stats.total.connections += 1
        if not web:
            tunnel.note("open", address, port)
        transport.set_protocol(carrier)
        carrier.connection_made(transport)
        if arrival.early:
            early = bytes(arrival.early)
            arrival.early.clear()
            carrier.data_received(early)
        if arrival.ended:
            carrier.eof_received()
        if not transport.is_closing():
            transport.resume_reading()


class _PendingVisitor(asyncio.Protocol):
    """A connection until its stream is there: checked before anything else, and not read."""

    def __init__(self, listener: StreamListener, tunnel: Tunnel) -> None:
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
        if not tunnel.admits(address):
            tunnel.refuse(address, port)
            reset(self._transport)
        elif self._listener.retired:
            self.send_error_page(error_page.MOVED)
        elif self._listener.open >= tunnel.rules.connections or self._scarce():
            tunnel.refuse(address, port)
            if tunnel.reservation.kind is Kind.HTTP:
                self.send_error_page(error_page.BUSY)
            else:
                reset(self._transport)
        else:
            self._transport.pause_reading()
            self._listener.welcome(self, self._transport, address, port)

    def data_received(self, data: bytes) -> None:
        self.early += data
        if len(self.early) > MAX_EARLY and self._transport is not None:
            reset(self._transport)

    def eof_received(self) -> bool:
        self.ended = True
        return True

    def _scarce(self) -> bool:
        """Whether descriptors are short: the kernel gives the lowest that is free."""
        assert self._transport is not None  # noqa: S101 - the caller has one
        sock = self._transport.get_extra_info("socket")
        return sock is not None and int(sock.fileno()) >= self._listener.descriptors

    def error_page(self, error: YamuxError, asked: bool) -> None:
        """Say why there is no answer: the client is gone, or the server behind it."""
        gone = isinstance(error, SessionClosed)
        self.send_error_page(error_page.OFFLINE if gone else error_page.SILENT, asked)

    def send_error_page(self, answer: bytes, asked: bool = False) -> None:
        """Answer with a page instead; `asked`: more than `early` has come already.

        Not before anything came: for Traefik an answer without a question is a broken connection, and a 500.
        """
        if self._transport is not None and not self._transport.is_closing():
            asked = asked or bool(self.early)
            known = self._listener.apologies
            ErrorPage.take_over(self._transport, answer, asyncio.get_running_loop(), known, asked=asked)


def reset(transport: asyncio.Transport) -> None:
    """End a connection so that its peer sees a reset."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    transport.abort()
