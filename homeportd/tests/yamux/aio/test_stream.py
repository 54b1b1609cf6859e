"""Streams between two real sockets: reading, writing, windows, half-close, reset."""

# ruff: noqa: PT012  a loop that must fail, at whichever turn

from __future__ import annotations

import asyncio
import contextlib
import gc
import tracemalloc

import pytest

from homeportd.yamux.config import KIB, MIB, Config
from homeportd.yamux.errors import BufferFull, StreamClosed, StreamReset, TooManyStreams

PATTERN = bytes(range(256)) * 4096  # 1 MiB


async def send(stream, size):
    for _ in range(size // MIB):
        stream.write(PATTERN)
        await stream.drain()
    stream.write_eof()


async def test_bulk_arrives_whole_and_in_order(streams):
    near, far = streams
    sending = asyncio.create_task(send(near, 32 * MIB))
    position = 0
    async for part in far:
        start = position % 256
        assert part == PATTERN[start : start + len(part)]
        position += len(part)
    assert position == 32 * MIB
    await sending
    far.close()
    await asyncio.gather(near.wait_closed(), far.wait_closed())
    assert (near.bytes_sent, far.bytes_received) == (32 * MIB, 32 * MIB)
    assert far.session.unread == 0


async def test_reading_by_line_and_by_size(streams):
    near, far = streams
    near.write(b"one\ntwo\nrest of")
    near.write(bytearray(b" three\n\n1234567890"))
    near.write(memoryview(b"tail"))
    near.write_eof()
    assert [await far.readline() for _ in range(3)] == [b"one\n", b"two\n", b"rest of three\n"]
    assert await far.readline() == b"\n"
    assert await far.readexactly(0) == b""
    assert await far.readexactly(10) == b"1234567890"
    assert await far.readline() == b"tail"
    assert await far.readline() == b""
    assert await far.read() == b""
    with pytest.raises(asyncio.IncompleteReadError):
        await far.readexactly(1)


async def test_a_line_that_never_ends(streams):
    near, far = streams
    near.write(bytes(2000))
    with pytest.raises(ValueError, match="1000 bytes"):
        await far.readline(1000)
    near.write(b"abc\n" * 3)
    await far.readexactly(999)
    assert await far.readline(4) == b"abc\n"


async def test_an_unread_stream_stops_its_writer_and_no_other(connect):
    client, server = await connect()
    stuck, free = await client.open(), await client.open()
    far_stuck, far_free = await server.accept(), await server.accept()
    sent = 0

    async def pour():
        nonlocal sent
        while True:
            stuck.write(bytes(64 * KIB))
            sent += 64 * KIB
            await stuck.drain()

    pouring = asyncio.create_task(pour())
    async with asyncio.timeout(30):
        while server.unread < 256 * KIB:  # noqa: ASYNC110  nothing tells
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)
    assert not pouring.done()
    assert sent <= 256 * KIB + MIB + 64 * KIB  # the peer's window and the send buffer
    assert far_stuck.bytes_received == server.unread == 256 * KIB
    pouring.cancel()
    await asyncio.wait([pouring])
    with pytest.raises(BufferFull):
        for _ in range(100):
            stuck.write(bytes(64 * KIB))
    sending = asyncio.create_task(send(free, 8 * MIB))
    assert sum([len(part) async for part in far_free]) == 8 * MIB
    await sending
    stuck.reset()
    with pytest.raises(StreamReset):
        while await far_stuck.read():
            pass
    assert server.unread == 0


async def test_half_close(streams):
    near, far = streams
    near.write(b"question")
    near.write_eof()
    near.write_eof()
    with pytest.raises(StreamClosed):
        near.write(b"more")
    assert b"".join([part async for part in far]) == b"question"
    far.write(b"answer")
    far.close()
    assert b"".join([part async for part in near]) == b"answer"
    await asyncio.gather(near.wait_closed(), far.wait_closed())
    assert near.error is far.error is None


async def test_reset_reaches_reader_and_writer(connect):
    client, server = await connect()
    near = await client.open()
    far = await server.accept()
    with pytest.raises(BufferFull):
        while True:
            near.write(PATTERN)
    writer = asyncio.create_task(near.drain())
    reader = asyncio.create_task(near.read())
    await asyncio.sleep(0.01)
    far.reset()
    for task in (writer, reader):
        with pytest.raises(StreamReset, match="reset by the peer"):
            await task
    with pytest.raises(StreamReset, match="reset here"):
        await far.read()
    await asyncio.gather(near.wait_closed(), far.wait_closed())


async def test_leaving_a_block(connect):
    client, server = await connect()
    with pytest.raises(KeyError):
        async with await client.open() as near:
            raise KeyError
    assert isinstance(near.error, StreamReset)
    near = await client.open()
    async with await server.accept() as far:
        async with near:
            near.write(b"x")
        await near.wait_sent()
        assert not near.is_over
        assert await far.read() == b"x"
    await asyncio.gather(near.wait_closed(), far.wait_closed())
    assert near.error is far.error is None


async def test_a_closed_stream_whose_peer_goes_on_is_reset_in_time(connect):
    client, server = await connect(Config(close_timeout=1.0))
    for _ in range(5):  # that is little time to read what was said before, where others wait for a processor
        near = await client.open()
        far = await server.accept()
        far.write(bytes(1000))
        await client.ping()
        assert client.unread == 1000
        near.write(b"last")
        near.close()
        assert client.unread == 0
        far.write(bytes(1000))
        with contextlib.suppress(StreamReset):
            assert await far.read() == b"last"
            assert await far.read() == b""
            break
    else:
        pytest.fail("it was reset each time before its end was read")
    with pytest.raises(StreamReset):
        for _ in range(3000):
            far.write(bytes(1000))
            await asyncio.sleep(0.01)
    await near.wait_closed()
    with pytest.raises(StreamReset, match="reset here"):
        near.write(b"x")
    assert client.unread == 0


async def test_closing_wakes_the_own_reader(streams):
    near, _ = streams
    reader = asyncio.create_task(near.read())
    await asyncio.sleep(0)
    near.close()
    with pytest.raises(StreamClosed):
        await reader


async def test_one_reader_at_a_time(streams):
    near, far = streams
    reader = asyncio.create_task(near.read())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError):
        await near.read()
    far.write(b"x")
    assert await reader == b"x"


async def test_small_messages_pass_a_bulk_stream(connect):
    client, server = await connect(buffers=16 * KIB)
    bulk, small = await client.open(), await client.open()
    far_bulk, far_small = await server.accept(), await server.accept()

    async def swallow():
        async for _ in far_bulk:
            pass

    async def flood():
        while True:
            bulk.write(PATTERN)
            await bulk.drain()

    loop = asyncio.get_running_loop()
    tasks = [asyncio.create_task(swallow()), asyncio.create_task(flood())]
    took = []
    for _ in range(50):
        start = loop.time()
        small.write(b"x")
        assert await far_small.read() == b"x"
        took.append(loop.time() - start)
    assert sorted(took)[25] < 0.1
    assert far_bulk.bytes_received > MIB
    bulk.reset()
    for task in tasks:
        with pytest.raises(StreamReset):
            await task


async def test_too_much_unread_together_refuses_new_streams(connect):
    client, server = await connect(None, Config(max_unread=MIB))
    pairs = [(await client.open(), await server.accept()) for _ in range(8)]
    for near, _ in pairs:
        near.write(bytes(256 * KIB))
        near.write_eof()
    async with asyncio.timeout(30):
        while server.unread < 2 * MIB:  # noqa: ASYNC110  nothing tells
            await asyncio.sleep(0.01)
    refused = await client.open()
    with pytest.raises(StreamReset):
        await refused.read()
    with pytest.raises(TooManyStreams, match="unread"):
        await server.open()
    for near, far in pairs:
        assert sum([len(part) async for part in far]) == 256 * KIB
        far.close()
        await near.wait_closed()
    assert server.unread == 0
    await client.open()
    await server.accept()


async def test_tiny_frames_take_little_memory(raw):
    session, peer = await raw(Config(keepalive_interval=0))
    peer.send(bytes.fromhex("00 01 0001 00000001 00000000"))
    stream = await session.accept()
    frame = bytes.fromhex("00 00 0000 00000001 00000001") + b"x"
    loop = asyncio.get_running_loop()
    loop.set_debug(False)  # which keeps tracebacks, with the source of all they pass through
    gc.collect()
    tracemalloc.start()
    try:
        for _ in range(16):
            await loop.sock_sendall(peer, frame * 1024)
        while stream.bytes_received < 16 * KIB:  # noqa: ASYNC110  nothing tells
            await asyncio.sleep(0.01)
        current, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert current < 64 * KIB
    assert await stream.readexactly(16 * KIB) == b"x" * (16 * KIB)


async def test_a_far_peer_is_given_a_larger_window(connect):
    config = Config(receive_window_max=4 * MIB)
    client, server = await connect(config, config)
    near = await client.open()
    far = await server.accept()
    server.machine.round_trip = 1.0  # as if over a slow path; half a window in less makes it grow
    sending = asyncio.create_task(send(near, 16 * MIB))
    async for _ in far:
        server.machine.round_trip = 1.0
    await sending
    assert server.machine._grown == 4 * MIB - 256 * KIB
    far.close()
    await near.wait_closed()
    assert server.machine._grown == 0
