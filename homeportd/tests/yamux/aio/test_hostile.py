"""A peer that means harm, over a real socket: each time a clear reason, a go-away, and an end."""

# ruff: noqa: PT012  a loop that must fail, at whichever turn

from __future__ import annotations

import asyncio
import socket
import tracemalloc

import pytest

from homeportd.yamux.config import MIB, Config
from homeportd.yamux.errors import SessionClosed
from homeportd.yamux.frames import (
    ACK,
    DATA,
    GO_AWAY,
    HEADER_SIZE,
    PING,
    RST,
    SYN,
    WINDOW_UPDATE,
    Code,
    Header,
)

GOODBYE = Header(GO_AWAY, 0, 0, Code.PROTOCOL_ERROR).encode()
OPEN = Header(WINDOW_UPDATE, SYN, 1, 0).encode()
ATTACKS = {
    "another protocol": (b"GET / HTTP/1.1\r\n\r\n", "version 71"),
    "a bad version": (b"\1" + bytes(11), "version 1"),
    "an unknown type": (b"\0\x09" + bytes(10), "unknown frame type 9"),
    "an open stream opened": (OPEN * 2, "twice"),
    "a number of the wrong side": (Header(WINDOW_UPDATE, SYN, 2, 0).encode(), "not its to use"),
    "data beyond the window": (OPEN + Header(DATA, 0, 1, 262145).encode(), "room for 262144"),
    "data beyond the window, bit by bit": (
        OPEN
        + (Header(DATA, 0, 1, 65536).encode() + bytes(65536)) * 4
        + Header(DATA, 0, 1, 1).encode()
        + b"x",
        "room for 0",
    ),
    "a window beyond 32 bits": (OPEN + Header(WINDOW_UPDATE, 0, 1, 0xFFFFFFFF).encode(), "overflows"),
    "data on a stream never opened": (Header(DATA, 0, 7, 1).encode() + b"x", "never opened"),
    "an update of a stream this side never opened": (
        Header(WINDOW_UPDATE, ACK, 2, 0).encode(),
        "never opened",
    ),
    "a huge length": (OPEN + Header(DATA, 0, 1, 0xFFFFFFFF).encode(), "more than any window"),
    "a huge length with a reset": (OPEN + Header(DATA, RST, 1, 0xFFFFFFFF).encode(), "more than any window"),
    "a ping that is none": (Header(PING, 0, 0, 1).encode(), "neither question nor answer"),
}


async def drain(peer: socket.socket) -> bytes:
    """Everything the session sends until it closes."""
    loop = asyncio.get_running_loop()
    received = b""
    while part := await loop.sock_recv(peer, 65536):
        received += part
    return received


@pytest.mark.parametrize("name", ATTACKS)
async def test_a_broken_rule(raw, name):
    attack, reason = ATTACKS[name]
    session, peer = await raw(Config(keepalive_interval=0))
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(peer, attack)
    async with asyncio.timeout(30):
        assert (await drain(peer)).endswith(GOODBYE)
        await session.wait_closed()
    assert reason in str(session.error)
    with pytest.raises(SessionClosed, match=r"version|type|stream|ping"):
        await session.accept()
    with pytest.raises(SessionClosed):
        await session.open()
    assert session.streams == session.machine.live == 0


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (Header(PING, SYN, 0, 1).encode(), "flood|does not read"),
        (Header(PING, ACK, 0, 1).encode(), "flood"),
        (Header(WINDOW_UPDATE, RST, 1, 0).encode(), "flood"),
        (Header(WINDOW_UPDATE, 0, 1, 0).encode(), "flood"),
        (Header(DATA, 0, 1, 0).encode(), "flood"),
        (Header(GO_AWAY, 0, 0, 0).encode(), "flood"),
        (Header(WINDOW_UPDATE, SYN | RST, 3, 0).encode(), "flood"),
    ],
)
@pytest.mark.parametrize("reads", [True, False])
async def test_floods_take_no_memory_and_end(raw, frame, reason, reads):
    session, peer = await raw(Config(keepalive_interval=0, idle_frames_burst=5000))
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(peer, OPEN)
    reader = asyncio.create_task(drain(peer)) if reads else None
    block = frame * 1000
    tracemalloc.start()
    try:
        with pytest.raises(ConnectionError):
            for _ in range(1000):
                await loop.sock_sendall(peer, block)
                await asyncio.sleep(0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * MIB
    if reader is not None:
        await asyncio.wait([reader])
        reader.exception()
    async with asyncio.timeout(30):
        await session.wait_closed()
    with pytest.raises(SessionClosed, match=reason):
        await session.accept()


async def test_a_flood_of_opened_streams(raw):
    session, peer = await raw(Config(accept_backlog=8, idle_frames_burst=100, keepalive_interval=0))
    loop = asyncio.get_running_loop()
    reader = asyncio.create_task(drain(peer))
    frames = [Header(WINDOW_UPDATE, SYN, number, 0).encode() for number in range(1, 100_000, 2)]
    with pytest.raises(ConnectionError):
        for start in range(0, len(frames), 50):
            await loop.sock_sendall(peer, b"".join(frames[start : start + 50]))
            assert session.streams <= 8
            await asyncio.sleep(0.001)
    answers = await reader
    assert answers.startswith(Header(WINDOW_UPDATE, RST, 17, 0).encode())
    assert answers.endswith(GOODBYE)
    with pytest.raises(SessionClosed, match="flood"):
        await session.accept()


async def test_opened_and_reset_again_and_again(raw):
    session, peer = await raw(Config(accept_backlog=8, idle_frames_burst=2000, keepalive_interval=0))
    loop = asyncio.get_running_loop()
    for number in range(1, 2001, 2):
        frames = (
            Header(WINDOW_UPDATE, SYN, number, 0).encode() + Header(WINDOW_UPDATE, RST, number, 0).encode()
        )
        await loop.sock_sendall(peer, frames)
    async with asyncio.timeout(30):
        while session.bytes_received < 2000 * HEADER_SIZE:  # noqa: ASYNC110  nothing tells
            await asyncio.sleep(0.01)
    assert session.streams == len(session._backlog) == session.machine.live == 0
    assert not session.is_closed


async def test_data_after_the_end_of_a_stream_resets_that_stream_alone(raw):
    session, peer = await raw(Config(keepalive_interval=0))
    loop = asyncio.get_running_loop()
    fin = Header(DATA, 4, 1, 1).encode() + b"x"
    await loop.sock_sendall(peer, OPEN + fin + Header(DATA, 0, 1, 1).encode() + b"y")
    await loop.sock_sendall(peer, Header(WINDOW_UPDATE, SYN, 3, 0).encode())
    stream = await session.accept()
    assert stream.id == 3
    assert not session.is_closed
    assert await loop.sock_recv(peer, 12) == Header(WINDOW_UPDATE, RST, 1, 0).encode()


async def test_go_away_then_data(raw):
    session, peer = await raw(Config(keepalive_interval=0))
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(
        peer, OPEN + Header(GO_AWAY, 0, 0, 0).encode() + Header(DATA, 0, 1, 1).encode() + b"x"
    )
    stream = await session.accept()
    assert await stream.read() == b"x"
    await loop.sock_sendall(peer, Header(GO_AWAY, 0, 0, 1).encode() + Header(DATA, 0, 1, 1).encode() + b"y")
    with pytest.raises(SessionClosed, match="code 1"):
        await stream.read()


async def test_a_peer_that_never_reads_gets_no_more_than_the_buffers(raw):
    session, _peer = await raw(Config(keepalive_interval=0, send_buffer=MIB))
    stream = await session.open()
    written = 0
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            while True:
                stream.write(bytes(65536))
                written += 65536
                await stream.drain()
    assert written < 256 * 1024 + 2 * MIB
