"""Visitors' bytes: whole, both ways, half-closed, many, and gone when they are."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
import struct

import pytest

from homeportd.tunnels.protocol import Kind
from homeportd.yamux.errors import StreamReset

from .conftest import opened, until


async def test_bytes_go_both_ways_and_are_counted(edge, client, serve) -> None:
    tunnel = await opened(client, Kind.TCP, await serve())
    sent = os.urandom(5_000_000)
    stream = await edge.visit(tunnel.id)

    async def send() -> None:
        for at in range(0, len(sent), 50_000):
            stream.write(sent[at : at + 50_000])
            await stream.drain()
        stream.write_eof()

    sending = asyncio.create_task(send())
    received = b"".join([data async for data in stream])
    await sending

    assert hashlib.sha256(received).digest() == hashlib.sha256(sent).digest()
    stream.close()
    await until(lambda: tunnel.connections == 0)
    assert tunnel.bytes == (len(sent), len(sent))
    assert tunnel.total == 1
    tunnel.sample()
    assert tunnel.last_byte_at is not None
    assert tunnel.rate_in > 0


async def test_the_visitor_may_end_first(edge, client, serve) -> None:
    heard = []

    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read())
        writer.write(b"all of it")

    tunnel = await opened(client, Kind.TCP, await serve(server))
    async with await edge.visit(tunnel.id) as stream:
        stream.write(b"question")
        stream.write_eof()
        assert await stream.readexactly(9) == b"all of it"
        assert await stream.read() == b""
    assert heard == [b"question"]


async def test_the_server_may_end_first(edge, client, serve) -> None:
    heard = asyncio.get_running_loop().create_future()

    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.write_eof()
        heard.set_result(await reader.read())

    tunnel = await opened(client, Kind.TCP, await serve(server))
    async with await edge.visit(tunnel.id) as stream:
        assert await stream.readexactly(5) == b"hello"
        assert await stream.read() == b""
        stream.write(b"late, and heard")
        stream.write_eof()
        assert await heard == b"late, and heard"


async def test_a_reset_is_passed_on_both_ways(edge, client, serve) -> None:
    broken = asyncio.get_running_loop().create_future()

    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.readexactly(1) == b"r":
            writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            writer.transport.abort()
        else:
            try:
                await reader.read()
            except ConnectionError as error:
                broken.set_result(error)

    tunnel = await opened(client, Kind.TCP, await serve(server))
    stream = await edge.visit(tunnel.id)
    stream.write(b"r")
    with pytest.raises(StreamReset):
        await stream.read()

    stream = await edge.visit(tunnel.id)
    stream.write(b"x")
    await until(lambda: tunnel.bytes[0] == 2)
    stream.reset()
    assert isinstance(await broken, ConnectionResetError)
    await until(lambda: tunnel.connections == 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_either_loopback_address_is_found(edge, client, serve, host) -> None:
    tunnel = await opened(client, Kind.TCP, await serve(host=host))
    for _ in range(2):
        async with await edge.visit(tunnel.id) as stream:
            stream.write(b"hello")
            assert await stream.readexactly(5) == b"hello"


async def test_an_ipv6_target_by_its_address(edge, client, serve) -> None:
    tunnel = await opened(client, Kind.TCP, f"[::1]:{await serve(host='::1')}")
    async with await edge.visit(tunnel.id, address="2001:db8::7") as stream:
        stream.write(b"hello")
        assert await stream.readexactly(5) == b"hello"


async def test_nothing_listens(edge, client, serve) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        tunnel = await opened(client, Kind.HTTP, free.getsockname()[1])
        stream = await edge.visit(tunnel.id)
        stream.write(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(StreamReset):
            await stream.read()
    assert (tunnel.connections, tunnel.total, tunnel.failed) == (0, 1, 1)


async def test_a_thousand_visitors_at_once(edge, clients, serve) -> None:
    client = await clients.start(links=2)
    tunnel = await opened(client, Kind.TCP, await serve())
    await until(lambda: len(edge.links) == 2)

    async def visit(number: int) -> None:
        payload = bytes([number % 256]) * 3000
        async with await edge.visit(tunnel.id) as stream:
            stream.write(payload)
            assert await stream.readexactly(3000) == payload
            await everyone.wait()
            stream.write(b"bye")
            stream.write_eof()
            assert await stream.readexactly(3) == b"bye"
            assert await stream.read() == b""

    everyone = asyncio.Barrier(1000)
    await asyncio.gather(*(visit(number) for number in range(1000)))
    await until(lambda: tunnel.connections == 0)
    assert tunnel.total == 1000
    assert tunnel.bytes == (3_003_000, 3_003_000)


async def test_a_server_that_does_not_read_holds_its_own_visitor_back(edge, client, serve, ports) -> None:
    release = asyncio.Event()

    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        while await reader.read(1 << 20):
            pass

    slow = await opened(client, Kind.TCP, await serve(server), port=ports[0])
    quick = await opened(client, Kind.TCP, await serve(), port=ports[1])
    stuck = await edge.visit(slow.id)
    sent = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1):
            while True:
                stuck.write(bytes(65536))
                sent += 65536
                await stuck.drain()
    assert 0 < sent < 64 << 20
    async with await edge.visit(quick.id) as stream:
        stream.write(b"hello")
        assert await stream.readexactly(5) == b"hello"
    release.set()
    await stuck.drain()
    stuck.reset()


async def test_a_stream_that_makes_no_sense_harms_nobody(edge, client, serve) -> None:
    tunnel = await opened(client, Kind.TCP, await serve())
    for head in (b"\x00\x00", b"\xff\xff" + bytes(600), b"\x00\x05hello", b"\x00\x02{}"):
        stream = await edge.links[0].session.open()
        stream.write(head)
        with pytest.raises(StreamReset):
            await stream.read()
    stream = await edge.visit("not-ours")
    with pytest.raises(StreamReset):
        await stream.read()
    async with await edge.visit(tunnel.id) as stream:
        stream.write(b"hello")
        assert await stream.readexactly(5) == b"hello"
