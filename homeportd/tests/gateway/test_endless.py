"""WebSockets and event streams: they pass, and they end with the right that they live by."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
import websockets
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

from homeportd.relay import service as relay_service

SOON = 2.0  # seconds in which a stream must end,
PATIENCE_S = 30.0  # or at least does on a machine that has other work
PASSWORD = "open sesame"


@asynccontextmanager
async def streaming(gateway, port: int, path: str = "/events", method: str = "GET", **headers: str):
    """An event stream of which the first event has come; yields its reader."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.number)
    lines = [f"{method} {path} HTTP/1.1", f"Host: {gateway.host(port)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    try:
        async with asyncio.timeout(PATIENCE_S):
            first = await reader.readuntil(b"data: ")
        assert first.startswith(b"HTTP/1.1 200"), first
        yield reader
    finally:
        writer.close()


async def ended(reader: asyncio.StreamReader, within_s: float = PATIENCE_S) -> bool:
    """Whether the stream breaks off in time."""
    try:
        async with asyncio.timeout(within_s):
            last = b""
            while data := await reader.read(65536):
                last = (last + data)[-16:]
                if last.endswith(b"0\r\n\r\n"):
                    return True  # the answer is over, the connection may be kept
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


KINDS = [
    {"Accept": "text/event-stream"},
    {"Accept": "*/*"},
    {},
    {"path": "/mjpeg"},
    {"path": "/endless?text/plain;charset=utf-8"},
    {"path": "/endless?application/x-ndjson"},
    {"path": "/endless?audio/mpeg"},
    {"method": "POST", "Content_Length": "0"},
    {"method": "POST", "Content_Length": "0", "Accept": "application/json, text/event-stream"},
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
async def test_a_stream_ends_when_its_share_is_removed(gateway, dev, kind):
    took = []
    while len(took) < 5 and not (took and took[-1] < SOON):  # others may have waited for a processor
        await gateway.share(dev.port)
        async with streaming(gateway, dev.port, **kind) as reader:
            assert not await ended(reader, 0.3)
            await gateway.unshare(dev.port)
            begun = time.monotonic()
            assert await ended(reader)
            took.append(time.monotonic() - begun)
        await dev.streams_become(0)
    assert took[-1] < SOON, took


async def test_a_stream_ends_when_its_share_expires(gateway, dev):
    for left_s in (4, 16, 60):  # a pause of this machine may outlast the first
        soon = datetime.now(UTC) + timedelta(seconds=left_s)
        async with AsyncExitStack() as stack:
            try:
                await gateway.share(dev.port, expires=soon.isoformat())
                reader = await stack.enter_async_context(streaming(gateway, dev.port))
            except AssertionError:
                assert datetime.now(UTC) >= soon
                continue
            assert await ended(reader, left_s + PATIENCE_S)
            assert datetime.now(UTC) >= soon
            return
    pytest.fail("no share lasted until its stream had begun")


async def test_a_change_ends_the_streams_of_visitors_and_of_no_one_else(gateway, dev):
    await gateway.share(dev.port, "password", password=PASSWORD)
    visitor = await gateway.share_cookie(dev.port)
    owner = await gateway.owner_cookie(dev.port)
    token = await gateway.token()
    async with (
        streaming(gateway, dev.port, Cookie=visitor) as visitors,
        streaming(gateway, dev.port, Cookie=owner) as owners,
        streaming(gateway, dev.port, Authorization=f"Bearer {token}") as programs,
    ):
        await gateway.share(dev.port, "password", password="another")
        assert await ended(visitors)
        assert not await ended(owners, 0.2)
        assert not await ended(programs, 0.2)
        (listed,) = (await gateway.owner.get("/api/tokens")).json()
        assert (await gateway.owner.delete(f"/api/tokens/{listed['id']}")).status_code == 204
        assert await ended(programs)
        assert not await ended(owners, 0.2)
        answer = await gateway.owner.put("/api/password", json={"password": "a new password"})
        assert answer.status_code == 204
        assert await ended(owners)


async def test_another_use_of_the_password_ends_nothing(gateway, dev):
    await gateway.share(dev.port, "password", password=PASSWORD, max_uses=5)
    cookie = await gateway.share_cookie(dev.port)
    async with streaming(gateway, dev.port, Cookie=cookie) as reader:
        await gateway.share_cookie(dev.port)
        assert not await ended(reader, 0.5)


async def test_a_visitor_who_leaves_is_noticed(gateway, dev):
    await gateway.share(dev.port)
    async with streaming(gateway, dev.port):
        await dev.streams_become(1)  # of two: one was dropped, and asked for again through the relay
    await dev.streams_become(0)


async def test_the_agents_end_is_the_end_of_streams(gateway, dev):
    await gateway.share(dev.port)
    async with streaming(gateway, dev.port) as reader:
        await gateway.stack.aclose()
        assert await ended(reader)


# WebSockets


@pytest.fixture
async def echo():
    """A WebSocket server that says everything twice, its port, and what it was told."""
    seen: list[object] = []

    async def twice(connection):
        seen.append(connection.request)
        async for message in connection:
            await connection.send(message)
            await connection.send(message)

    async with serve(twice, "127.0.0.1", 0, origins=None, max_size=1 << 24) as server:
        yield server.sockets[0].getsockname()[1], seen


@pytest.fixture
async def echo_gateway(echo, tmp_path, make_gateway):
    async with make_gateway(tmp_path) as made:
        yield made


def socket_to(gateway, port: int, **options: object):
    return connect(
        f"ws://{gateway.host(port)}/socket",
        host="127.0.0.1",
        port=gateway.number,
        proxy=None,
        max_size=1 << 24,
        **options,
    )


async def test_a_web_socket_carries_both_ways_and_ends_with_its_share(echo, echo_gateway):
    port, seen = echo
    gateway = echo_gateway
    await gateway.share(port, "password", password=PASSWORD)
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with socket_to(gateway, port):
            pass
    assert refused.value.response.status_code == 401
    cookie = await gateway.share_cookie(port)
    headers = {"Cookie": f"{cookie}; app=1", "Sec-WebSocket-Protocol": "vite-hmr"}
    async with socket_to(gateway, port, additional_headers=headers, origin=gateway.origin(port)) as socket:
        for message in ("hello", b"\x00\xff" * 100_000, "x" * 3_000_000):
            await socket.send(message)
            assert await socket.recv() == message
            assert await socket.recv() == message
        received = seen[0].headers
        assert received["Host"] == f"localhost:{port}"
        assert received["Origin"] == f"http://localhost:{port}"
        assert received["Cookie"] == "app=1"
        assert not [name for name in received if name.lower().startswith("x-homeport")]
        await gateway.unshare(port)
        with pytest.raises(websockets.ConnectionClosed):
            async with asyncio.timeout(PATIENCE_S):
                await socket.recv()


async def test_a_foreign_page_is_named_to_the_server(echo, echo_gateway):
    port, seen = echo
    await echo_gateway.share(port)
    async with socket_to(echo_gateway, port, origin="https://evil.example"):
        assert seen[0].headers["Origin"] == "https://evil.example"


async def test_a_server_that_closes_a_socket_is_heard(echo, echo_gateway):
    port, _ = echo
    await echo_gateway.share(port)
    async with socket_to(echo_gateway, port) as socket:
        await socket.close(4001, "enough")
        assert socket.close_code == 4001


async def test_the_owner_stays_when_the_share_goes(echo, echo_gateway):
    port, _ = echo
    await echo_gateway.share(port)
    cookie = await echo_gateway.owner_cookie(port)
    origin = echo_gateway.origin(port)
    async with socket_to(echo_gateway, port, additional_headers={"Cookie": cookie}, origin=origin) as socket:
        await echo_gateway.unshare(port)
        await asyncio.sleep(1.2)
        await socket.send("still here")
        assert await socket.recv() == "still here"


async def test_one_visitor_leaves_room_for_others_and_for_the_owner(echo, echo_gateway, monkeypatch):
    monkeypatch.setattr(relay_service, "MAX_A_CLIENT", 3)
    port, _ = echo
    await echo_gateway.share(port)
    owner = {"Cookie": await echo_gateway.owner_cookie(port)}
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(socket_to(echo_gateway, port))
        with pytest.raises(websockets.InvalidStatus) as refused:
            await stack.enter_async_context(socket_to(echo_gateway, port))
        assert refused.value.response.status_code == 429
        for _ in range(3):
            own = socket_to(echo_gateway, port, additional_headers=owner, origin=echo_gateway.origin(port))
            await stack.enter_async_context(own)


async def test_an_upgrade_with_a_body_is_no_way_past_the_relay(gateway, dev):
    await gateway.share(dev.port)
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.number)
    head = f"POST /echo-raw HTTP/1.1\r\nHost: {gateway.host(dev.port)}\r\nConnection: Upgrade\r\nUpgrade: echo\r\n"
    for framing, body in (("Transfer-Encoding: chunked", b"0\r\n\r\n"), ("Content-Length: 3", b"abc")):
        writer.write(f"{head}{framing}\r\n\r\n".encode() + body)
        line = await reader.readline()
        assert line.startswith(b"HTTP/1.1 200"), line
        rest = await reader.readuntil(b'"sha"')
        assert b"pgrade: echo" not in rest
        await reader.readuntil(b"}")
    writer.close()
