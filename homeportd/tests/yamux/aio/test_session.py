"""Sessions between two real sockets: opening, accepting, ending, pings, limits."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time

import pytest

from homeportd.yamux.aio import Session
from homeportd.yamux.config import Config
from homeportd.yamux.errors import SessionClosed, StreamReset, TooManyStreams
from homeportd.yamux.frames import Role
from homeportd.yamux.heartbeat import LATE

HELD_UP = LATE + 0.1  # seconds


async def echo_all(session: Session) -> None:
    async with asyncio.TaskGroup() as group:
        async for stream in session:
            group.create_task(echo(stream))


async def echo(stream) -> None:
    async with stream:
        async for part in stream:
            stream.write(part)
            await stream.drain()


async def test_many_streams_both_ways(connect):
    client, server = await connect()
    payloads = [bytes([i]) * (i * 997) for i in range(60)]

    async def ask(session, payload):
        async with await session.open() as stream:
            stream.write(payload)
            stream.write_eof()
            assert b"".join([part async for part in stream]) == payload

    async with asyncio.TaskGroup() as group:
        echoes = [group.create_task(echo_all(session)) for session in (client, server)]
        await asyncio.gather(*(ask(session, p) for p in payloads for session in (client, server)))
        assert client.streams == server.streams == 0
        await client.close()
        await asyncio.gather(*echoes)
    assert server.is_closed
    assert client.machine.live == server.machine.live == 0
    assert client.unread == server.unread == 0


async def test_ping_and_heartbeat(connect):
    # Twice that is longer than this side may be held up without forgiving its peer (heartbeat.LATE), and longer by one
    # question: both sides wait for the same processor here.
    client, server = await connect(Config(keepalive_interval=HELD_UP))
    took = await client.ping()
    assert took > 0
    assert 0 < client.round_trip <= took
    async with asyncio.timeout(30):
        while server.bytes_received < 12 * 4:  # noqa: ASYNC110  nothing tells
            await asyncio.sleep(0.01)
    assert not client.is_closed
    assert server.heard_at is not None
    assert server.round_trip is not None  # asked once, at the start


async def test_a_silent_peer_is_dead_after_two_pings(raw, tidy_loop):
    start = tidy_loop.time()
    session, _peer = await raw(Config(keepalive_interval=0.1))
    stream = await session.open()
    with pytest.raises(SessionClosed, match=r"no sign of life from the peer for 0\.2 s"):
        await stream.read()
    assert tidy_loop.time() - start > 0.19
    with pytest.raises(SessionClosed):
        await session.accept()
    with pytest.raises(SessionClosed):
        await session.open()
    with pytest.raises(SessionClosed):
        await session.ping()
    await session.wait_closed()


async def test_a_peer_is_dead_two_pings_after_its_last_byte(raw, tidy_loop):
    took = []
    while len(took) < 5 and not (took and 1.59 < took[-1] < 2.1):  # others may have waited for a processor
        session, peer = await raw(Config(keepalive_interval=0.8))
        await asyncio.sleep(1.0)  # between two pings: silence counts from the byte, not from the next ping
        start = tidy_loop.time()
        with contextlib.suppress(BrokenPipeError):  # held up before, it was given up already
            peer.send(b"\0\2\0\2" + bytes(8))
        await session.wait_closed()
        took.append(tidy_loop.time() - start)
    assert 1.59 < took[-1] < 2.1, took  # 2.2 from the next ping


async def test_a_side_that_was_held_up_does_not_blame_its_peer(connect):
    client, server = await connect(Config(keepalive_interval=HELD_UP))
    await asyncio.sleep(0.1)
    time.sleep(5 * HELD_UP)  # noqa: ASYNC251 - both sides are held up; what they sent before is unread
    await asyncio.sleep(0.2)
    assert not client.is_closed
    assert not server.is_closed
    assert await client.ping() > 0


async def test_half_a_header_and_silence(raw):
    session, peer = await raw(Config(keepalive_interval=0.1))
    peer.send(b"\0\1\0\1")
    with pytest.raises(SessionClosed, match="no sign of life"):
        await session.accept()


async def test_the_end_of_the_connection_ends_everything(raw):
    session, peer = await raw()
    stream = await session.open()
    stream.write(b"x")
    waiting = [
        asyncio.create_task(wait)
        for wait in (
            stream.read(),
            session.accept(),
            session.ping(),
            stream.wait_closed(),
            session.wait_closed(),
        )
    ]
    await asyncio.sleep(0.01)
    peer.close()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(r) for r in results] == [SessionClosed] * 3 + [type(None)] * 2
    assert session.error is not None
    with pytest.raises(SessionClosed):
        stream.write(b"y")
    with pytest.raises(SessionClosed):
        await stream.drain()
    stream.close()
    stream.reset()
    stream.write_eof()
    assert "closed" in repr(session)
    assert "over" in repr(stream)


async def test_go_away_lets_streams_finish(connect):
    client, server = await connect()
    near = await client.open()
    far = await server.accept()
    server.go_away()
    await client.ping()
    with pytest.raises(SessionClosed, match="no new streams"):
        await client.open()
    async with near, far:
        near.write(b"still here")
        assert await far.read() == b"still here"


async def test_the_backlog_of_a_peer_that_does_not_accept(connect):
    client, _server = await connect(Config(accept_backlog=3, open_timeout=0.5), Config(accept_backlog=3))
    for _ in range(3):
        await client.open()
    with pytest.raises(TimeoutError):
        await client.open()
    client, server = await connect(Config(accept_backlog=3), Config(accept_backlog=3))
    streams = [await client.open() for _ in range(3)]
    waiting = asyncio.create_task(client.open())
    accepted = await server.accept()
    streams.append(await waiting)
    assert accepted.id == streams[0].id
    streams[1].reset()  # before it was accepted: it never shows
    await client.ping()
    assert [(await server.accept()).id for _ in range(2)] == [streams[2].id, streams[3].id]


async def test_openers_waiting_for_room_learn_of_the_end(connect):
    client, _server = await connect(Config(accept_backlog=1))
    await client.open()
    waiting = [asyncio.create_task(client.open()) for _ in range(3)]
    await asyncio.sleep(0.01)
    await client.close()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(r) for r in results] == [SessionClosed] * 3


async def test_surplus_streams_are_reset(connect):
    client, _server = await connect(Config(max_streams=4), Config(accept_backlog=2))
    streams = [await client.open() for _ in range(4)]
    with pytest.raises(TooManyStreams):
        await client.open()
    await client.ping()
    assert [s.is_over for s in streams] == [False, False, True, True]
    with pytest.raises(StreamReset):
        await streams[3].read()
    assert not client.is_closed


async def test_a_cancelled_accept_loses_nothing(connect):
    client, server = await connect()
    waiting = asyncio.create_task(server.accept())
    await asyncio.sleep(0)
    waiting.cancel()
    stream = await client.open()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await server.accept()).id == stream.id


async def test_taking_over_a_connection_with_bytes_on_it(tidy_loop):
    ours, theirs = socket.socketpair()
    _, client = await tidy_loop.create_connection(lambda: Session(Role.CLIENT), sock=ours)
    stream = await client.open()
    stream.write(b"early")
    await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection(sock=theirs)
    first = await reader.read(15)
    writer.transport.pause_reading()
    server = Session.over(writer.transport, Role.SERVER, received=first + bytes(reader._buffer))
    accepted = await server.accept()
    assert await accepted.readexactly(5) == b"early"
    async with client, server:
        assert await client.ping() > 0


async def test_close_says_goodbye_and_leaves_nothing(connect):
    client, server = await connect()
    near = await client.open()
    near.write(b"last words")
    far = await server.accept()
    await client.close()
    await server.wait_closed()
    assert await far.read() == b"last words"
    with pytest.raises(SessionClosed):
        await far.read()
    assert server.machine.peer_gone_away == 0
    await client.close()


async def test_a_peer_that_gives_up_with_an_error(raw):
    session, peer = await raw()
    peer.send(bytes.fromhex("00 03 0000 00000000 00000002"))
    with pytest.raises(SessionClosed, match="code 2"):
        await session.accept()


async def test_close_sends_what_closed_streams_still_hold(connect):
    client, server = await connect(buffers=4096)
    near, stuck = await client.open(), await client.open()
    far, unread = await server.accept(), await server.accept()
    near.write(bytes(200_000))
    near.close()
    stuck.write(bytes(1_000_000))  # not closed: nobody waits for it
    reading = asyncio.create_task(far.readexactly(200_000))
    await client.close()
    assert await reading == bytes(200_000)
    assert unread.bytes_received < 1_000_000


async def test_close_does_not_wait_long_for_a_peer_that_does_not_read(raw, tidy_loop):
    session, _peer = await raw(
        Config(close_timeout=0.1, stream_send_buffer_max=32 << 20, send_buffer=32 << 20)
    )
    stream = await session.open()
    stream.write(bytes(16 << 20))
    stream.close()
    start = tidy_loop.time()
    await session.close()
    assert 0.09 < tidy_loop.time() - start < 30  # it would take for ever
