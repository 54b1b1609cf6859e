"""TCP tunnels, end to end over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
import time
from dataclasses import replace

import pytest
from edge_helper import PATIENCE_S, Refused, echo_server, refuse, to_port, until, until_async, within

from homeportd.edge.listeners import client as client_listener
from homeportd.edge.listeners.metered_bridge import MeteredBridge
from homeportd.tunnels.protocol import Close, Closed, Limits, Refusal

from ..freeports import free_port


async def visitor(port, source="127.0.0.1", host="127.0.0.1"):
    return await asyncio.open_connection(host, port, local_addr=(source, 0))


async def talk(port, text=b"hello", **options):
    """Say something to an echo server and hear it back; b"" when the connection was refused."""
    try:
        reader, writer = await visitor(port, **options)
        writer.write(text)
        heard = b""  # one text may come in parts
        async with asyncio.timeout(PATIENCE_S):
            while len(heard) < len(text) and (more := await reader.read(len(text) - len(heard))):
                heard += more
        writer.close()
    except (ConnectionError, RuntimeError):  # uvloop says of a transport that is gone: RuntimeError
        return b""
    return heard


@pytest.fixture
async def echo():
    async with echo_server() as port:
        yield port


async def test_bytes_go_through_and_back_with_the_half_close(connect, echo, ports):
    client = await connect(to_port(echo))
    opened = await client.open("tcp")
    assert opened.port in ports
    assert opened.address == f"localhost:{opened.port}"
    reader, writer = await visitor(opened.port)
    payload = os.urandom(8 * 1024 * 1024)

    async def send():
        writer.write(payload)
        await writer.drain()
        writer.write_eof()

    task = asyncio.create_task(send())
    received = await reader.read(-1)
    await task
    writer.close()
    assert hashlib.sha256(received).digest() == hashlib.sha256(payload).digest()


async def test_visitors_come_by_both_families_at_once(connect, echo, peer):
    client = await connect(to_port(echo))
    opened = await client.open("tcp")
    texts = [os.urandom(1000) for _ in range(200)]
    answers = await asyncio.gather(
        *(talk(opened.port, text) for text in texts[:100]),
        *(talk(opened.port, text, source="::1", host="::1") for text in texts[100:]),
    )
    assert answers == texts
    (shown,) = (await peer.get("/api/tunnels")).json()
    assert (shown["bytes_in"], shown["bytes_out"]) == (200_000, 200_000)

    async def closed():
        rows = (await peer.get(f"/api/tunnels/{opened.tunnel}/logs?limit=1000")).json()
        found = [row for row in rows if row["event"] == "close"]
        return len(found) == 200 and found

    closes = await until_async(closed)
    assert {row["address"] for row in closes} == {"127.0.0.1", "::1"}
    assert all(row["bytes_in"] == 1000 for row in closes)


async def test_nothing_of_a_stranger_reaches_the_client(connect, peer):
    met = []

    async def note(introduction, stream):
        met.append(str(introduction.address))
        stream.write(b"in")
        stream.close()

    client = await connect(note)
    opened = await client.open("tcp", allow=("127.0.0.2", "127.1.0.0/16"))
    assert await talk(opened.port, source="127.0.0.1") == b""
    assert await talk(opened.port, source="::1", host="::1") == b""
    assert await talk(opened.port, source="127.0.0.2") == b"in"
    assert await talk(opened.port, source="127.1.2.3") == b"in"
    assert met == ["127.0.0.2", "127.1.2.3"]
    (shown,) = (await peer.get("/api/tunnels")).json()
    assert shown["refused"] == 2
    assert shown["allow"] == ["127.0.0.2/32", "127.1.0.0/16"]
    rows = (await peer.get(f"/api/tunnels/{opened.tunnel}/logs")).json()
    assert {row["address"] for row in rows if row["event"] == "refused"} == {"127.0.0.1", "::1"}


async def test_a_narrower_list_ends_who_is_not_on_it(connect, echo):
    client = await connect(to_port(echo))
    opened = await client.open("tcp")
    kept, kept_writer = await visitor(opened.port, "127.0.0.2")
    cut, cut_writer = await visitor(opened.port, "127.0.0.3")
    for reader, writer in ((kept, kept_writer), (cut, cut_writer)):
        writer.write(b"x")
        assert await reader.read(1) == b"x"
    again = await client.open("tcp", port=opened.port, allow=("127.0.0.2",))
    assert again.tunnel == opened.tunnel
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(cut.read(1), PATIENCE_S)
    kept_writer.write(b"y")
    assert await kept.read(1) == b"y"
    kept_writer.close()


async def test_connections_are_limited(connect, echo):
    client = await connect(to_port(echo))
    opened = await client.open("tcp", limits=Limits(connections=2))
    held = [await visitor(opened.port) for _ in range(2)]
    for reader, writer in held:
        writer.write(b"x")
        assert await reader.read(1) == b"x"
    assert await talk(opened.port) == b""
    held[0][1].close()

    async def welcome():
        return await talk(opened.port) == b"hello"

    await until_async(welcome)
    held[1][1].close()


async def test_both_directions_keep_to_a_rate(connect, echo):
    client = await connect(to_port(echo))
    rate = 256 * 1024
    opened = await client.open("tcp", limits=Limits(bytes_per_second=rate))

    async def there_and_back():
        reader, writer = await visitor(opened.port)
        started = time.monotonic()
        writer.write(bytes(rate * 2))
        writer.write_eof()
        received = await reader.read(-1)
        writer.close()
        assert len(received) == rate * 2
        took = time.monotonic() - started
        assert took > 1.4  # a quarter of a second's worth may go at once, each way
        return took

    await within(4, there_and_back)


async def test_another_rate_holds_for_who_is_here(connect, echo, peer, ports):
    """None, one that lasts for minutes, and none again, for one connection."""
    opened = await (await connect(to_port(echo))).open("tcp", port=ports[0])
    url = f"/api/reservations/{opened.tunnel}"
    reader, writer = await visitor(opened.port)
    size = 200_000

    async def there_and_back():
        writer.write(bytes(size))
        await writer.drain()
        return await reader.readexactly(size)

    async def limited(rate):
        limits = {} if rate is None else {"limits": {"bytes_per_second": rate}}
        answer = await peer.put(url, json=limits)
        assert answer.status_code == 200, answer.text

    await asyncio.wait_for(there_and_back(), PATIENCE_S)
    await limited(1024)
    held = asyncio.create_task(there_and_back())
    assert not (await asyncio.wait([held], timeout=1.0))[0]
    await limited(None)
    assert await asyncio.wait_for(held, PATIENCE_S) == bytes(size)
    writer.close()


async def test_a_rate_does_not_read_on_for_a_client_that_is_slower(connect, monkeypatch):
    smaller = replace(client_listener.CONFIG, stream_send_buffer_max=64 * 1024)
    monkeypatch.setattr(client_listener, "CONFIG", smaller)
    begin, received, rested, reads = asyncio.Event(), bytearray(), MeteredBridge._resume_reading, []

    def noted(carrier):
        rested(carrier)
        if carrier.stream._machine.throttled(carrier.stream.id):
            reads.append(carrier._socket.is_reading())

    monkeypatch.setattr(MeteredBridge, "_resume_reading", noted)

    async def wait_and_read(_introduction, stream):
        await begin.wait()
        async for data in stream:
            received.extend(data)

    client = await connect(wait_and_read)
    opened = await client.open("tcp", limits=Limits(bytes_per_second=1024 * 1024))
    _, writer = await visitor(opened.port)
    payload = os.urandom(1024 * 1024)
    writer.write(payload)
    writer.write_eof()
    await until(lambda: reads)
    assert reads == [False]
    begin.set()
    await until(lambda: len(received) == len(payload))
    assert received == payload
    writer.close()


async def test_who_does_not_read_holds_up_the_sender_alone(connect, running):
    sent = 0

    async def pour(_introduction, stream):
        nonlocal sent
        while True:
            stream.write(bytes(65536))
            sent += 65536
            await stream.drain()

    client = await connect(pour)
    opened = await client.open("tcp")
    _, writer = await asyncio.open_connection("127.0.0.1", opened.port, limit=1024)

    async def held_up():
        before = sent
        await asyncio.sleep(0.5)
        return sent and sent == before

    await until_async(held_up)
    assert 0 < sent < 64 * 1024 * 1024
    await talk(opened.port)
    writer.transport.abort()


async def test_a_client_without_a_server_resets_its_visitors(connect):
    client = await connect(refuse)
    opened = await client.open("tcp")
    assert await talk(opened.port) == b""


async def test_streams_spread_over_links_and_a_lost_one_takes_its_own(connect, echo, peer):
    first = await connect(to_port(echo), run="one", number=0)
    second = await connect(to_port(echo), run="one", number=1)
    opened = await first.open("tcp")
    visitors = [await visitor(opened.port) for _ in range(20)]
    for reader, writer in visitors:
        writer.write(b"x")
        assert await reader.read(1) == b"x"
    assert second.session.streams == 11  # with its control stream
    (shown,) = (await peer.get("/api/tunnels")).json()
    assert (shown["links"], shown["connections"]) == (2, 20)
    second.session.abort()
    ended = 0
    for reader, writer in visitors:
        try:
            writer.write(b"y")
            ended += await asyncio.wait_for(reader.read(1), PATIENCE_S) != b"y"
        except (ConnectionError, RuntimeError):  # uvloop says of a transport that is gone: RuntimeError
            ended += 1
        writer.close()
    assert ended == 10
    assert await talk(opened.port) == b"hello"


async def test_the_newest_client_has_the_port_at_once(connect, echo, ports):
    async def new(_introduction, stream):
        stream.write(b"new")
        stream.close()

    async def take_over():
        nonlocal old, opened
        old = await connect(to_port(echo))
        opened = await old.open("tcp", port=ports[1])
        reader, writer = await visitor(ports[1])
        writer.write(b"x")
        assert await reader.read(1) == b"x"
        started = time.monotonic()
        client = await connect(new)
        again = await client.open("tcp", port=ports[1])
        assert await talk(ports[1], b"abc") == b"new"
        took = time.monotonic() - started
        assert again.tunnel == opened.tunnel
        assert (await old.next(Closed)).reason == "taken-over"
        with contextlib.suppress(ConnectionError):
            assert await reader.read(1) == b""
        writer.close()
        return took

    old = opened = None
    await within(1, take_over)
    # The old client ends what it no longer has: that changes nothing.
    old.say(Close(tunnel=opened.tunnel))
    await asyncio.sleep(0.05)
    assert await talk(ports[1], b"abc") == b"new"


async def test_a_silent_client_is_replaced_at_once(connect, echo, port, ports):
    """Its machine is gone without a word: the socket is there, and nobody reads it."""

    async def replaced():
        old = await connect(to_port(echo), run="one")
        await old.open("tcp", port=ports[2])
        old.session._transport.pause_reading()
        started = time.monotonic()
        new = await connect(to_port(echo), run="one")
        await new.open("tcp", port=ports[2])
        assert await talk(ports[2]) == b"hello"
        took = time.monotonic() - started
        await new.close()
        await old.close()
        return took

    await within(1, replaced)


@pytest.mark.slow
async def test_a_dead_peer_is_noticed_within_two_heartbeats(connect, echo, peer, monkeypatch, ports):
    heartbeat = 1.5
    monkeypatch.setattr(
        client_listener, "CONFIG", replace(client_listener.CONFIG, keepalive_interval=heartbeat)
    )

    async def offline():
        return (await peer.get("/api/tunnels")).json()[0]["state"] == "offline"

    async def noticed():
        client = await connect(to_port(echo))
        await client.open("tcp", port=ports[3])
        client.session._transport.pause_reading()
        client.session._heartbeat.stop("as a machine that was unplugged")
        started = time.monotonic()
        await until_async(offline)
        return time.monotonic() - started

    await within(2 * heartbeat + 1, noticed)


async def test_a_port_in_use_is_refused(connect, ports):
    taken = free_port()
    with socket.create_server(("127.0.0.1", ports[4])):
        client = await connect()
        with pytest.raises(Refused) as caught:
            await client.open("tcp", port=ports[4])
    assert caught.value.reason is Refusal.PORT_TAKEN
    with pytest.raises(Refused) as caught:
        await client.open("tcp", port=taken)
    assert caught.value.reason is Refusal.PORT_RANGE
    assert str(ports[0]) in caught.value.message.fix
    with pytest.raises(Refused) as caught:
        await client.open("tcp", allow=("10.0.0.0/99",))
    assert caught.value.reason is Refusal.NETWORK_BAD
    assert (await client.open("tcp")).port  # the link goes on


async def test_the_owner_kills_a_tunnel(connect, echo, peer, ports):
    client = await connect(to_port(echo))
    chosen = await client.open("tcp", port=ports[5])
    given = await client.open("tcp")
    for opened in (chosen, given):
        assert (await peer.delete(f"/api/tunnels/{opened.tunnel}")).status_code == 204
        assert (await client.next(Closed)).reason == "killed"
        assert await talk(opened.port) == b""
    left = (await peer.get("/api/tunnels")).json()
    assert [(t["port"], t["state"], t["reserved"]) for t in left] == [(ports[5], "offline", True)]
    assert (await peer.delete(f"/api/tunnels/{given.tunnel}")).status_code == 404
    assert (await peer.delete(f"/api/tunnels/{chosen.tunnel}")).status_code == 409


async def test_status_says_when_the_last_byte_moved(connect, echo, peer):
    client = await connect(to_port(echo))
    opened = await client.open("tcp")

    async def shown():
        return (await peer.get(f"/api/tunnels/{opened.tunnel}")).json()

    assert (await shown())["last_byte_at"] is None
    await talk(opened.port)

    async def moved():
        return (await shown())["last_byte_at"]

    first = await until_async(moved)
    await asyncio.sleep(1.2)
    assert (await shown())["last_byte_at"] == first
    minutes = (await peer.get(f"/api/tunnels/{opened.tunnel}/minutes")).json()
    assert sum(minute["bytes_in"] for minute in minutes) == 5
