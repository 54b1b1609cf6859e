"""UDP tunnels, end to end over real sockets."""

from __future__ import annotations

import asyncio
import os
import socket
import time

import pytest
from edge_helper import until, until_async

from homeportd.edge.listeners import udp
from homeportd.tunnels.protocol import MAX_DATAGRAM, Limits


class Visitor(asyncio.DatagramProtocol):
    """Sends to a port from an address of its own, and keeps what comes back."""

    def __init__(self):
        self.heard = []

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.heard.append(data)

    def send(self, data):
        self.sock.send(data)  # uvloop's own sends no empty datagrams


@pytest.fixture
async def visit():
    """A visitor from an address to a port."""
    made = []

    async def make(port, source="127.0.0.1", host="127.0.0.1"):
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sock.setblocking(False)
        sock.bind((source, 0))
        sock.connect((host, port))
        _, protocol = await asyncio.get_running_loop().create_datagram_endpoint(Visitor, sock=sock)
        protocol.sock = sock
        made.append(protocol)
        return protocol

    yield make
    for protocol in made:
        protocol.transport.close()


@pytest.fixture
def edge_settings(edge_settings, request):
    """Of an edge that listens where a test says."""
    return edge_settings.model_copy(update={"bind": getattr(request, "param", edge_settings.bind)})


class Echo:
    """A client's side that sends each datagram back, and keeps what it saw."""

    def __init__(self):
        self.met = []
        self.seen = []

    async def __call__(self, introduction, stream):
        self.met.append(introduction)
        while True:
            size = await stream.readexactly(2)
            data = await stream.readexactly(int.from_bytes(size, "big"))
            self.seen.append(data)
            stream.write(size + data)
            await stream.drain()


@pytest.mark.parametrize("edge_settings", [("0.0.0.0", "::")], indirect=True)
async def test_an_answer_comes_from_the_address_that_was_asked(connect, visit):
    echo = Echo()
    client = await connect(echo)
    opened = await client.open("udp")
    asked = (
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.5"),
        ("127.0.0.6", "127.0.0.5"),
        ("::1", "::1"),
    )
    visitors = [await visit(opened.port, *addresses) for addresses in asked]  # who hear that address alone
    for number, visitor in enumerate(visitors):
        visitor.send(b"asked %d" % number)
    await until(lambda: all(visitor.heard for visitor in visitors))
    assert [visitor.heard for visitor in visitors] == [[b"asked %d" % n] for n in range(len(visitors))]
    assert len(echo.met) == len(visitors)


async def test_datagrams_of_every_size_go_through_back_and_are_counted(connect, visit, peer):
    client = await connect(Echo())
    opened = await client.open("udp")
    assert opened.address == f"localhost:{opened.port}"
    visitor = await visit(opened.port)
    sizes = (0, 1, 1200, 9000, 65_000, MAX_DATAGRAM)
    for size in sizes:
        payload = os.urandom(size)
        visitor.send(payload)
        await until(lambda: visitor.heard)
        assert visitor.heard.pop() == payload
    minutes = (await peer.get(f"/api/tunnels/{opened.tunnel}/minutes")).json()
    lines = (await peer.get("/metrics")).text.splitlines()
    for way, name in (("in", "received"), ("out", "sent")):
        assert sum(minute[f"datagrams_{way}"] for minute in minutes) == len(sizes)
        (line,) = (line for line in lines if line.startswith(f"homeport_tunnel_{name}_datagrams_total{{"))
        assert line.endswith(f" {len(sizes)}")


async def test_each_visitor_has_a_stream_and_its_answers(connect, visit, peer):
    echo = Echo()
    client = await connect(echo)
    opened = await client.open("udp")
    visitors = [await visit(opened.port, f"127.0.0.{n}") for n in range(2, 22)]
    visitors += [await visit(opened.port, "::1", "::1") for _ in range(3)]
    for number, visitor in enumerate(visitors):
        for part in range(5):
            visitor.send(b"%d.%d" % (number, part))
    await until(lambda: all(len(visitor.heard) == 5 for visitor in visitors))
    for number, visitor in enumerate(visitors):
        assert visitor.heard == [b"%d.%d" % (number, part) for part in range(5)]  # in order
    assert len(echo.met) == 23
    assert {str(met.address) for met in echo.met} == {f"127.0.0.{n}" for n in range(2, 22)} | {"::1"}
    (shown,) = (await peer.get("/api/tunnels")).json()
    assert shown["connections"] == 23
    assert shown["dropped"] == 0


async def test_order_is_kept_in_a_burst(connect, visit):
    echo = Echo()
    client = await connect(echo)
    opened = await client.open("udp")
    visitor = await visit(opened.port)
    for start in range(0, 3000, 50):  # so few that the socket's own buffer holds them
        for number in range(start, start + 50):
            visitor.send(number.to_bytes(4, "big") * 64)
        await until(lambda: len(echo.seen) > start)  # noqa: B023 - waited for here
    await until(lambda: len(echo.seen) == 3000)
    assert [int.from_bytes(data[:4], "big") for data in echo.seen] == list(range(3000))


async def test_strangers_are_dropped_and_counted(connect, visit, peer):
    echo = Echo()
    client = await connect(echo)
    opened = await client.open("udp", allow=("127.0.0.2", "::1"))
    stranger, friend = await visit(opened.port), await visit(opened.port, "127.0.0.2")
    stranger.send(b"no")
    friend.send(b"yes")
    await until(lambda: friend.heard)
    assert echo.seen == [b"yes"]
    (shown,) = (await peer.get("/api/tunnels")).json()
    assert shown["refused"] == shown["dropped"] == 1


async def test_visitors_are_limited(connect, visit, peer):
    echo = Echo()
    client = await connect(echo)
    opened = await client.open("udp", limits=Limits(connections=2))
    visitors = [await visit(opened.port) for _ in range(3)]
    for visitor in visitors:
        visitor.send(b"x")
    await until(lambda: [len(visitor.heard) for visitor in visitors[:2]] == [1, 1])

    async def refused():
        return (await peer.get("/api/tunnels")).json()[0]["refused"]

    assert await until_async(refused) == 1
    assert (len(echo.seen), visitors[2].heard) == (2, [])


async def test_idle_visitors_are_forgotten(connect, visit, peer, monkeypatch):
    monkeypatch.setattr(udp, "SWEEP_S", 0.1)
    echo = Echo()
    client = await connect(echo)
    opened = await client.open("udp")
    visitor = await visit(opened.port)
    visitor.send(b"x")
    await until(lambda: visitor.heard)
    assert client.session.streams == 2
    monkeypatch.setattr(udp, "IDLE_S", 0.2)
    await until(lambda: client.session.streams == 1)
    monkeypatch.setattr(udp, "IDLE_S", 120)
    rows = (await peer.get(f"/api/tunnels/{opened.tunnel}/logs")).json()
    assert [row["event"] for row in rows] == ["close", "open"]
    visitor.send(b"y")
    await until(lambda: len(visitor.heard) == 2)
    assert len(echo.met) == 2


async def test_a_client_that_does_not_read_costs_datagrams_not_memory(connect, visit, peer, running):
    async def ignore(_introduction, _stream):
        await asyncio.sleep(60)

    client = await connect(ignore)
    opened = await client.open("udp")
    visitor = await visit(opened.port)

    async def dropped():
        for _ in range(20):
            visitor.send(bytes(60_000))
        await asyncio.sleep(0.01)
        return (await peer.get("/api/tunnels")).json()[0]["dropped"]

    await until_async(dropped)
    # Others on the same link are served.
    other = await connect(Echo())
    second = await other.open("udp")
    friend = await visit(second.port)
    friend.send(b"x")
    await until(lambda: friend.heard)


async def test_the_rate_holds_datagrams_too(connect, visit, peer):
    echo = Echo()
    client = await connect(echo)
    opened = await client.open("udp", limits=Limits(bytes_per_second=20_000))
    visitor = await visit(opened.port)
    started = time.monotonic()
    for _ in range(100):
        visitor.send(bytes(1000))
        await asyncio.sleep(0.001)

    async def through_or_dropped():
        return (await peer.get("/api/tunnels")).json()[0]["dropped"] + len(echo.seen) >= 100

    await until_async(through_or_dropped)
    took = time.monotonic() - started
    # A quarter of a second's worth may go at once.
    assert 5 <= len(echo.seen) <= 2 + (0.25 + took) * 20


async def test_forged_addresses_do_not_lock_others_out(connect, monkeypatch):
    monkeypatch.setattr(udp, "MAX_VISITORS", 20)
    monkeypatch.setattr(udp, "UNANSWERED_S", 1.0)
    monkeypatch.setattr(udp, "CLEAR_EVERY_S", 0.1)

    met = []

    async def some(introduction, stream):
        """Answers those alone who say hello."""
        met.append(introduction.port)
        while size := int.from_bytes(await stream.readexactly(2), "big"):
            data = await stream.readexactly(size)
            if data == b"hello":
                stream.write(size.to_bytes(2, "big") + data)

    client = await connect(some)
    opened = await client.open("udp")
    loop = asyncio.get_running_loop()

    def visitor():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.connect(("127.0.0.1", opened.port))
        return sock

    async def answered(sock):
        sock.send(b"hello")
        try:
            return await asyncio.wait_for(loop.sock_recv(sock, 100), 1) == b"hello"
        except TimeoutError:
            return False

    real = visitor()
    await until_async(lambda: answered(real))
    flood = [visitor() for _ in range(40)]
    for sock in flood:
        sock.send(b"?")
    late = visitor()
    await until_async(lambda: answered(late))
    await until_async(lambda: answered(real))
    assert met.count(real.getsockname()[1]) == 1  # its stream is the one it had
    for sock in (real, late, *flood):
        sock.close()


async def test_a_length_that_no_datagram_has_ends_the_visitor(connect, visit, peer):
    async def lies(_introduction, stream):
        stream.write(b"\xff\xff" + bytes(70_000))
        await stream.wait_closed()

    client = await connect(lies)
    opened = await client.open("udp")
    visitor = await visit(opened.port)
    visitor.send(b"x")

    async def over():
        rows = (await peer.get(f"/api/tunnels/{opened.tunnel}/logs")).json()
        return [row["event"] for row in rows] == ["close", "open"]

    await until_async(over)
    assert not visitor.heard
