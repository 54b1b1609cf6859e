"""Bridges: TCP sockets at both ends of a stream, as a tunnel has them."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib

import pytest

from homeportd.yamux.bridge import Bridge
from homeportd.yamux.config import KIB, MIB, Config


@pytest.fixture
async def tunnel(connect, tidy_loop):
    """Start a server behind a tunnel; give the port in front of it."""
    servers = []
    tasks = []

    async def start(serve, config=None):
        client, server = await connect(config, config)
        behind = await asyncio.start_server(serve, "127.0.0.1", 0)
        address = behind.sockets[0].getsockname()

        async def carry():
            async for stream in server:
                await tidy_loop.create_connection(lambda stream=stream: Bridge(stream), *address)

        async def front(reader, writer):
            writer.transport.pause_reading()
            early = bytes(reader._buffer)
            bridge = Bridge.join(await client.open(), writer.transport, early)
            writer.transport.resume_reading()
            await bridge.wait_closed()

        tasks.append(asyncio.create_task(carry()))
        ahead = await asyncio.start_server(front, "127.0.0.1", 0)
        servers.extend([behind, ahead])
        return ahead.sockets[0].getsockname(), client, server

    yield start
    for server in servers:
        server.close()
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def echo(reader, writer):
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(100_000):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    writer.close()


async def until(condition, seconds=30):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  other processes are not involved, but their sockets are
            await asyncio.sleep(0.01)


async def test_bytes_and_half_closes_both_ways(tunnel):
    address, client, server = await tunnel(echo)

    async def ask(number):
        reader, writer = await asyncio.open_connection(*address)
        payload = bytes([number]) * (number * 100_003)

        async def send():
            writer.write(payload)
            await writer.drain()
            writer.write_eof()

        sending = asyncio.create_task(send())
        answer = await reader.read(-1)
        await sending
        writer.close()
        await writer.wait_closed()
        assert hashlib.sha256(answer).digest() == hashlib.sha256(payload).digest()

    await asyncio.gather(*(ask(number) for number in range(20)))
    await until(lambda: client.streams == server.streams == 0)
    assert client.unread == server.unread == 0


async def test_a_reset_passes_through(tunnel):
    async def hang_up(reader, writer):
        await reader.read(1)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(1, 13, bytes([1, 0, 0, 0, 0, 0, 0, 0]))  # SO_LINGER, 0 seconds
        writer.transport.abort()

    address, client, server = await tunnel(hang_up)
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"x")
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    await until(lambda: client.streams == server.streams == 0)


async def test_an_unread_socket_stops_the_sender(tunnel):
    sent = 0
    done = asyncio.Event()

    async def pour(reader, writer):
        nonlocal sent
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(bytes(64 * KIB))
                sent += 64 * KIB
                await writer.drain()
        writer.close()
        done.set()

    address, client, server = await tunnel(pour, Config(receive_budget=0))
    reader, writer = await asyncio.open_connection(*address, limit=1024)
    await asyncio.sleep(0.2)
    while True:  # until nothing moves any more: all buffers on the way are full
        before = sent
        await asyncio.sleep(0.2)
        if sent == before:
            break
    assert sent < 64 * MIB  # the kernel's own buffers are most of it
    assert client.unread <= 256 * KIB
    for _ in range(500):
        assert await reader.readexactly(100_000)
    assert sent > before
    writer.transport.abort()
    await asyncio.wait_for(done.wait(), 30)
    await until(lambda: client.streams == server.streams == 0)


async def test_the_end_of_the_session_ends_the_sockets(tunnel):
    address, client, _server = await tunnel(echo)
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"x")
    assert await reader.readexactly(1) == b"x"
    client.abort("cut")
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    assert not client.streams


async def test_aborting_a_bridge(tunnel, connect, tidy_loop):
    client, server = await connect()
    near = await client.open()
    far = await server.accept()
    waiting = tidy_loop.create_future()
    listener = await asyncio.start_server(lambda r, w: waiting.set_result(w), "127.0.0.1", 0)
    _, bridge = await tidy_loop.create_connection(lambda: Bridge(far), *listener.sockets[0].getsockname())
    bridge.abort()
    await bridge.wait_closed()
    assert far.is_over
    await near.wait_closed()
    (await waiting).close()
    listener.close()
