"""UDP: whole datagrams, in order, each visitor with a socket of its own."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

from homeportd.tunnels import udp
from homeportd.tunnels.protocol import MAX_DATAGRAM, Kind
from homeportd.yamux.stream import Stream

from .conftest import PATIENCE, opened, until

ATTEMPTS = 5


class Echo(asyncio.DatagramProtocol):
    """Sends every datagram back."""

    def __init__(self, sock: socket.socket) -> None:
        self.peers: set[object] = set()
        self.sock = sock

    def datagram_received(self, data: bytes, addr) -> None:
        self.peers.add(addr)
        self.sock.sendto(data, addr)  # the transport's own sends no empty datagrams


@pytest.fixture
async def server(nothing_left):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Echo(sock), sock=sock
    )
    protocol.port = sock.getsockname()[1]
    yield protocol
    transport.abort()


def send(stream: Stream, payload: bytes) -> None:
    stream.write(len(payload).to_bytes(2, "big") + payload)


async def receive(stream: Stream) -> bytes:
    async with asyncio.timeout(PATIENCE):
        return await stream.readexactly(int.from_bytes(await stream.readexactly(2), "big"))


@pytest.mark.parametrize("size", [0, 1, 1200, 9216, MAX_DATAGRAM])
async def test_a_datagram_of_any_size(edge, client, server, size) -> None:
    tunnel = await opened(client, Kind.UDP, server.port)
    async with await edge.visit(tunnel.id) as stream:
        payload = os.urandom(size)
        send(stream, payload)
        assert await receive(stream) == payload
        assert tunnel.bytes == (size, size)


async def test_order_is_kept_and_visitors_are_apart(edge, client, server) -> None:
    tunnel = await opened(client, Kind.UDP, server.port)
    streams = [await edge.visit(tunnel.id) for _ in range(20)]
    for start in range(0, 50, 5):  # so few at once that the server's own socket has room
        for number in range(start, start + 5):
            for stream in streams:
                send(stream, f"{stream.id} {number}".encode())
        for stream in streams:
            got = [await receive(stream) for _ in range(5)]
            assert got == [f"{stream.id} {number}".encode() for number in range(start, start + 5)]
    assert len(server.peers) == 20
    assert tunnel.connections == 20
    for stream in streams:
        stream.close()
    await until(lambda: tunnel.connections == 0)


async def test_a_datagram_in_pieces(edge, client, server) -> None:
    tunnel = await opened(client, Kind.UDP, server.port)
    async with await edge.visit(tunnel.id) as stream:
        for byte in b"\x00\x05hello\x00\x03you":
            stream.write(bytes([byte]))
            await asyncio.sleep(0.005)
        assert [await receive(stream) for _ in range(2)] == [b"hello", b"you"]


async def test_the_other_loopback_address_is_found(edge, client, nothing_left) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as local:
        local.bind(("::1", 0))
        local.setblocking(False)
        tunnel = await opened(client, Kind.UDP, local.getsockname()[1])
        async with await edge.visit(tunnel.id) as stream:
            for word in (b"hello", b"", b"there"):
                send(stream, word)
            for word in (b"hello", b"", b"there"):
                data, peer = await asyncio.wait_for(asyncio.to_thread(_receive, local), PATIENCE)
                assert data == word
            local.sendto(b"you", peer)
            assert await receive(stream) == b"you"


def _receive(local: socket.socket) -> tuple[bytes, object]:
    local.settimeout(PATIENCE)
    return local.recvfrom(100)


async def test_an_idle_visitor_is_forgotten(edge, client, server, monkeypatch) -> None:
    monkeypatch.setattr(udp, "IDLE_S", 1.0)
    tunnel = await opened(client, Kind.UDP, server.port)
    for _ in range(ATTEMPTS):  # after a second in which the machine stood still, this one is idle, too
        async with await edge.visit(tunnel.id) as stream:
            send(stream, b"hello")
            async with asyncio.timeout(PATIENCE):
                heard = b"".join([data async for data in stream])
            assert tunnel.connections == 0
        if heard:
            break
    assert heard == b"\x00\x05hello"


async def test_a_length_that_no_datagram_has_ends_the_visit(edge, client, server) -> None:
    tunnel = await opened(client, Kind.UDP, server.port)
    stream = await edge.visit(tunnel.id)
    stream.write(b"\xff\xff" + bytes(70000))
    await stream.wait_closed()
    await until(lambda: tunnel.connections == 0)
