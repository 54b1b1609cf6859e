"""UDP: whole datagrams, in order, each visitor with a socket of its own."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

from homeportd.tunnels import datagrams, udp
from homeportd.tunnels.datagrams import BadLength, Datagrams
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
    monkeypatch.setattr(udp, "CLIENT_IDLE_S", 1.0)
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


def bound(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((host, port))
    return sock


async def until_heard(stream: Stream, local: socket.socket, payload: bytes) -> None:
    """Send until the server has it, as a program that gets no answer does; then its answer comes back."""
    local.settimeout(0.2)
    async with asyncio.timeout(PATIENCE):
        while True:
            send(stream, payload)
            try:
                data, peer = await asyncio.to_thread(local.recvfrom, 100)
            except TimeoutError:
                continue
            break
    local.sendto(data, peer)
    assert await receive(stream) == payload


@pytest.mark.parametrize(
    ("target", "again"),
    [
        ("127.0.0.1:{}", ["127.0.0.1"]),
        ("{}", ["127.0.0.1"]),
        ("{}", ["::1"]),
        ("{}", ["::1", "127.0.0.1", "::1"]),
    ],
)
async def test_a_server_that_restarts_has_its_visitors_again(
    edge, client, nothing_left, target, again
) -> None:
    local = bound("127.0.0.1", 0)
    port = local.getsockname()[1]
    tunnel = await opened(client, Kind.UDP, target.format(port))
    async with await edge.visit(tunnel.id) as stream:
        await until_heard(stream, local, b"first")
        for host in again:
            local.close()
            for _ in range(5):  # each is refused a moment later
                send(stream, b"nobody")
                await asyncio.sleep(0.02)
            local = bound(host, port)
            await until_heard(stream, local, host.encode())
        assert tunnel.connections == tunnel.total == 1  # it is the visitor of before
    local.close()


async def test_a_server_that_starts_late_is_found(edge, client, nothing_left) -> None:
    with bound("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
    tunnel = await opened(client, Kind.UDP, port)
    async with await edge.visit(tunnel.id) as stream:
        for _ in range(10):
            send(stream, b"nobody")
            await asyncio.sleep(0.02)
        with bound("127.0.0.1", port) as local:
            await until_heard(stream, local, b"late")


async def test_a_server_that_is_down_costs_two_datagrams_for_one(
    edge, client, nothing_left, monkeypatch
) -> None:
    sent = []
    really = udp.UdpConnection._send

    def send_and_note(self, data: bytes) -> None:
        sent.append(data)
        really(self, data)

    monkeypatch.setattr(udp.UdpConnection, "_send", send_and_note)
    with bound("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
    tunnel = await opened(client, Kind.UDP, port)
    async with await edge.visit(tunnel.id) as stream:
        for number in range(20):
            send(stream, b"%d" % number)
        await until(lambda: len(sent) >= 20)
        await asyncio.sleep(0.3)
        assert max(map(sent.count, sent)) <= 2


def test_a_visitor_is_remembered_for_two_minutes() -> None:
    assert 120 <= datagrams.IDLE_S < datagrams.CLIENT_IDLE_S


@pytest.mark.parametrize("cut", range(1, 9))
def test_datagrams_come_whole_from_any_pieces(cut: int) -> None:
    wanted = [b"hello", b"", b"you", bytes(MAX_DATAGRAM)]
    stream = b"".join(map(datagrams.framed, wanted))
    reader, found = Datagrams(), []
    for at in range(0, len(stream), cut):
        found += reader.feed(stream[at : at + cut])
    assert found == wanted
    with pytest.raises(BadLength):
        list(reader.feed(b"\xff\xff"))
