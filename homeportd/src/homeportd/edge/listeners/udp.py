"""The UDP listener of a tunnel: a stream for each visitor address, with datagrams behind their length in it."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from ipaddress import ip_address
from time import monotonic
from typing import Any, Final

from homeportd.edge.connections.client import Offline
from homeportd.edge.listeners.sockets import IP_PKTINFO
from homeportd.edge.tunnel import Tunnel
from homeportd.networks import Address
from homeportd.socket_reader import SocketReader
from homeportd.tunnels.datagrams import IDLE_S, BadLength, Datagrams, framed
from homeportd.tunnels.protocol import MAX_DATAGRAM
from homeportd.yamux.errors import YamuxError
from homeportd.yamux.stream import Stream

SWEEP_S: Final = 5
UNANSWERED_S: Final = 2.0  # without an answer: then a visitor makes room for others, where there is none
CLEAR_EVERY_S: Final = 1.0  # between two searches for such visitors, at least
MAX_VISITORS: Final = 4096  # of one tunnel, where its limit is not lower
MAX_EARLY: Final = 64  # datagrams of a visitor whose stream is being opened,
MAX_EARLY_BYTES: Final = 256 * 1024  # and their bytes

BATCH: Final = 64  # datagrams of one socket at a time, before others have their turn
ANCILLARY: Final = socket.CMSG_SPACE(20)  # bytes; in6_pktinfo is the longer of the two

Peer = tuple[Any, ...]  # what sendmsg takes: (host, port), and two more numbers for IPv6
# Ancillary data of an answer, so that it leaves from the address that the visitor wrote to: a machine with several
# addresses would answer from the one that its routes prefer, and visitors drop what comes from another address.
Ancillary = tuple[tuple[int, int, bytes], ...]


class UdpListener:
    """Receives the datagrams of a port on all addresses of the edge, and keeps a visitor for each source address."""

    def __init__(self, tunnel: Tunnel, sockets: list[socket.socket]) -> None:
        self.tunnel = tunnel
        self._sockets = sockets
        self._receivers: list[_Receiver] = []
        self.port = int(sockets[0].getsockname()[1])
        self.visitors = 0
        self._cleared_at = 0.0
        self._sweep: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Begin to receive."""
        loop = asyncio.get_running_loop()
        self._receivers = [_Receiver(self, sock) for sock in self._sockets]
        self._sweep = loop.call_later(SWEEP_S, self._forget_idle, loop)

    def _forget_idle(self, loop: asyncio.AbstractEventLoop) -> None:
        before = monotonic() - IDLE_S
        for receiver in self._receivers:
            for visitor in [v for v in receiver.visitors.values() if v.moved_at < before]:
                visitor.end()
        self._sweep = loop.call_later(SWEEP_S, self._forget_idle, loop)

    def close(self) -> None:
        """Receive no more."""
        if self._sweep is not None:
            self._sweep.cancel()
        for receiver in self._receivers:
            receiver.close()
        if not self._receivers:
            for sock in self._sockets:
                sock.close()

    def has_room(self) -> bool:
        """Whether one more visitor may come.

        Addresses of datagrams are easily forged: those that were never answered make room for others, so that
        a flood of them does not lock everybody out for as long as a visitor is remembered.
        """
        most = min(MAX_VISITORS, self.tunnel.rules.connections)
        now = monotonic()
        if self.visitors >= most and now >= self._cleared_at + CLEAR_EVERY_S:
            self._cleared_at = now
            for receiver in self._receivers:
                for visitor in [v for v in receiver.visitors.values() if v.unanswered(now - UNANSWERED_S)]:
                    visitor.end()
        return self.visitors < most

    def recheck(self) -> None:
        """Forget visitors that the rules do not allow any more."""
        for receiver in self._receivers:
            for visitor in [v for v in receiver.visitors.values() if not self.tunnel.admits(v.address)]:
                visitor.end()

    def cut(self) -> None:
        """Forget every visitor; the next datagram of one begins anew."""
        for receiver in self._receivers:
            for visitor in list(receiver.visitors.values()):
                visitor.end()

    def end(self) -> None:
        """Forget every visitor."""
        self.cut()


class _Receiver:
    """Receives the datagrams of one socket, and gives them to their visitors."""

    def __init__(self, listener: UdpListener, sock: socket.socket) -> None:
        self.listener = listener
        # By their address, and the address of this edge that they write to, at `_ours` in the kernel's pktinfo.
        self.visitors: dict[tuple[Peer, bytes], _Visitor] = {}
        self._ours = slice(0, 16) if sock.family == socket.AF_INET6 else slice(4, 8)
        self._sock = sock
        self._buffer = bytearray(MAX_DATAGRAM + 1)
        self._reader = SocketReader(sock, self._readable)

    def _readable(self) -> None:
        """Receive what has come. Not by asyncio's transport, which does not say to which address a datagram came."""
        for _ in range(BATCH):
            try:
                size, came, _, peer = self._sock.recvmsg_into((self._buffer,), ANCILLARY)
            except BlockingIOError:  # no more
                return
            except OSError:
                self._reader.renew()
                return
            asked = came[0][2][self._ours] if came else b""
            visitor = self.visitors.get((peer, asked)) or self._visitor(peer, asked)
            if visitor is not None:
                visitor.take(bytes(memoryview(self._buffer)[:size]))

    def _visitor(self, peer: Peer, asked: bytes) -> _Visitor | None:
        listener, tunnel = self.listener, self.listener.tunnel
        address = ip_address(peer[0])
        if not tunnel.admits(address) or not tunnel.live or not listener.has_room():
            tunnel.refuse(address, peer[1])
            tunnel.stats.total.dropped += 1
            return None
        visitor = self.visitors[peer, asked] = _Visitor(self, peer, asked, address)
        listener.visitors += 1
        tunnel.stats.open += 1
        tunnel.stats.total.connections += 1
        tunnel.log("open", address, peer[1])
        tunnel.spawn(visitor.dial())
        return visitor

    def send(self, data: bytes, peer: Peer, ancillary: Ancillary) -> bool:
        """Send a datagram at once; False when the kernel takes none now."""
        try:
            self._sock.sendmsg((data,), ancillary, 0, peer)
        except BlockingIOError:
            return False
        except OSError:
            self._reader.renew()
            return False
        return True

    def close(self) -> None:
        """Close the socket."""
        if self._sock.fileno() != -1:
            self._reader.close()
            self._sock.close()


def _answering(asked: bytes) -> Ancillary:
    """The ancillary data with which an answer leaves from the address `asked`; empty when that is not known."""
    if len(asked) == 16:  # struct in6_pktinfo: address, interface
        return ((socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, struct.pack("=16sI", asked, 0)),)
    # struct in_pktinfo: interface, address, the address in the header
    return ((socket.IPPROTO_IP, IP_PKTINFO, struct.pack("=I4s4x", 0, asked)),) if asked else ()


class _Visitor:
    """A source address and its stream, whose `Sink` it is."""

    def __init__(self, receiver: _Receiver, peer: Peer, asked: bytes, address: Address) -> None:
        self.peer = peer
        self._asked = asked
        self._ancillary = _answering(asked)
        self.address = address
        self.moved_at = self._begun = monotonic()
        self._receiver = receiver
        self._tunnel = receiver.listener.tunnel
        self._stats = self._tunnel.stats
        self._stream: Stream | None = None
        self._full = False
        self._early: deque[bytes] = deque()
        self._early_bytes = 0
        self._datagrams = Datagrams()
        self._bytes_in = 0
        self._bytes_out = 0
        self._over = False

    async def dial(self) -> None:
        """Open the stream, and send the datagrams that have come meanwhile."""
        try:
            stream = await self._tunnel.dial(self.address, self.peer[1])
        except Offline:
            self._stats.total.dropped += len(self._early)
            self.end()
            return
        if self._over:
            stream.reset()
            return
        self._stream = stream
        stream.attach(self)
        early, self._early = self._early, deque()
        for data in early:
            self._send(data)

    def take(self, data: bytes) -> None:
        """Send a datagram of this visitor to the client. A datagram that would have to wait is dropped, as UDP may."""
        self.moved_at = monotonic()
        size = len(data)
        if size > MAX_DATAGRAM or self._over:
            self._stats.total.dropped += 1
        elif self._stream is not None:
            self._send(data)
        elif len(self._early) < MAX_EARLY and self._early_bytes + size <= MAX_EARLY_BYTES:
            self._early.append(data)
            self._early_bytes += size
        else:
            self._stats.total.dropped += 1

    def _send(self, data: bytes) -> None:
        size = len(data)
        rate = self._tunnel.rate_in
        if self._stream is None or self._full or (rate is not None and rate.spend(0, monotonic())):
            self._stats.total.dropped += 1
            return
        try:
            self._full = not self._stream.write(framed(data))
        except YamuxError:
            self._stats.total.dropped += 1
            return
        if rate is not None:
            rate.spend(size, monotonic())
        self._bytes_in += size
        self._stats.total.bytes_in += size
        self._stats.total.datagrams_in += 1

    def unanswered(self, before: float) -> bool:
        """Whether the visitor never got an answer, and has sent nothing since `before`."""
        return not self._bytes_out and self.moved_at < before

    # Called by the stream

    def received(self, data: bytes) -> None:
        if self._stream is not None:
            self._stream.consumed(len(data))
        self.moved_at = monotonic()
        try:
            for payload in self._datagrams.feed(data):
                self._answer(payload)
        except BadLength:
            if self._stream is not None:
                self._stream.reset()
            self.end()

    def _answer(self, data: bytes) -> None:
        size, rate = len(data), self._tunnel.rate_out
        if (rate is not None and rate.spend(0, monotonic())) or not self._receiver.send(
            data, self.peer, self._ancillary
        ):
            self._stats.total.dropped += 1
            return
        if rate is not None:
            rate.spend(size, monotonic())
        self._bytes_out += size
        self._stats.total.bytes_out += size
        self._stats.total.datagrams_out += 1

    def finished(self) -> None:
        self.end()

    def drained(self) -> None:
        self._full = False

    def ended(self, error: YamuxError | None) -> None:
        self.end()

    def end(self) -> None:
        """Forget this visitor."""
        if self._over:
            return
        self._over = True
        self._receiver.visitors.pop((self.peer, self._asked), None)
        self._receiver.listener.visitors -= 1
        self._stats.open -= 1
        self._tunnel.log(
            "close",
            self.address,
            self.peer[1],
            bytes_in=self._bytes_in,
            bytes_out=self._bytes_out,
            duration_ms=int((monotonic() - self._begun) * 1000),
        )
        if self._stream is not None:
            self._stream.close()
