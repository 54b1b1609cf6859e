"""The relay on its socket: what it refuses, that it carries one request, that it keeps nothing."""

from __future__ import annotations

import asyncio
import shutil
import socket
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from homeportd.endings import Endings
from homeportd.ports.model import Port, Program
from homeportd.ports.protocols import Protocols
from homeportd.relay import service
from homeportd.relay.connection import RelayedConnection
from homeportd.relay.service import Relay
from homeportd.shares.binding import Binding
from homeportd.shares.model import Mode
from homeportd.shares.service import ShareRequest, Shares
from homeportd.shares.store import ShareStore
from homeportd.signal import Signal

FLOOD = 64 << 20  # bytes that a dev server has to say


class Known:
    """Ports without a scan: those of the test."""

    def __init__(self) -> None:
        self.ports: dict[int, Port] = {}
        self.taken = False  # by another program, while a connection was being made

    def get(self, port: int) -> Port | None:
        return self.ports.get(port)

    def reaches(self, program: Program, *, fresh: bool = False) -> bool:
        return not (fresh and self.taken)


class Owner:
    """An owner who has logged out everywhere."""

    def __init__(self) -> None:
        self.revoked: Signal[[]] = Signal()

    def login_session_alive(self, session_id: str) -> bool:
        return False

    def token_alive(self, token_id: str) -> bool:
        return False


@pytest.fixture
async def relay(database, passwords):
    """A relay, its socket, its shares and a dev server that says what it was sent, or floods."""
    folder = Path(tempfile.mkdtemp(prefix="hp"))
    heard: list[bytes] = []

    async def dev(reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            heard.append(head)
            if b"/idle" in head:
                writer.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
                await reader.read()
            elif b"/flood" in head:
                writer.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
                for _ in range(FLOOD >> 16):
                    writer.write(bytes(1 << 16))
                    await writer.drain()
            else:
                writer.write(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n")
                heard.append(await reader.read())
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(dev, "127.0.0.1", 0)
    number = server.sockets[0].getsockname()[1]
    known = Known()
    known.ports[number] = Port(number, datetime.now(UTC), (Program(number, ("127.0.0.1",), uid=1),))
    endings = Endings(database)

    async def made_for(_port):
        return Binding(1, "ada")

    shares = Shares(ShareStore(database), passwords, endings, binding=made_for)
    made = Relay(known, shares, Owner(), Protocols())
    await made.start(folder / "relay.sock")
    share = await shares.set(number, ShareRequest(Mode.PUBLIC))
    yield made, folder / "relay.sock", share, heard
    await made.close()
    server.close()
    shutil.rmtree(folder)


def head(share, *lines: str, path: str = "/", right: str | None = None, client: str = "203.0.113.7") -> bytes:
    fields = [f"GET {path} HTTP/1.1", "Host: x", f"X-Homeport-Port: {share.port}"]
    fields += [f"X-Homeport-Client: {client}"] if client else []
    fields += [f"X-Homeport-Grant: {right if right is not None else 'share:' + share.grant}", *lines]
    return ("\r\n".join(fields) + "\r\n\r\n").encode()


async def say(path: Path, data: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(data)
    async with asyncio.timeout(30):
        try:
            return await reader.read()
        except ConnectionError:
            return b"reset"
        finally:
            writer.close()


@pytest.mark.parametrize("right", ["", "share:", "share:x.1", "owner:gone", "token:gone", "root:x", "share"])
async def test_a_right_that_is_none_is_refused(relay, right):
    _, path, share, heard = relay
    assert (await say(path, head(share, right=right))).startswith(b"HTTP/1.1 403 ")
    assert heard == []


async def test_a_connection_that_comes_as_the_relay_closes_is_not_carried(relay):
    made, *_ = relay
    near, far = socket.socketpair()
    await made.close()
    # The listener had accepted it: its protocol is made in a later turn of the loop.
    await asyncio.get_running_loop().connect_accepted_socket(lambda: RelayedConnection(made), near)
    reader, writer = await asyncio.open_unix_connection(sock=far)
    assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
    writer.close()


async def test_heads_have_a_limit_and_a_form(relay):
    _, path, share, heard = relay
    assert (await say(path, b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000)).startswith(
        (b"HTTP/1.1 431 ", b"reset")
    )
    assert (await say(path, b"GET / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
    assert (await say(path, head(share, "Transfer-Encoding: chunked"))).startswith(b"HTTP/1.1 411 ")
    assert heard == []


async def test_a_second_request_never_passes(relay):
    _, path, share, heard = relay
    second = b"GET /second HTTP/1.1\r\nHost: x\r\n\r\n"
    for lines in (("Connection: Upgrade", "Upgrade: websocket"), ()):
        heard.clear()
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(head(share, *lines))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(second)
        async with asyncio.timeout(30):
            with suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()
        assert not [data for data in heard if b"/second" in data]
        heard.clear()
        await say(path, head(share, *lines) + second)
        assert not [data for data in heard if b"/second" in data]


async def test_a_slow_visitor_holds_the_dev_server_back(relay):
    made, path, share, _ = relay
    process = psutil.Process()
    before = process.memory_info().rss
    reader, writer = await asyncio.open_unix_connection(str(path), limit=1 << 16)
    writer.write(head(share, "Connection: Upgrade", "Upgrade: x", path="/flood"))
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(0.5)
    assert [each.head.port for each in made._connections] == [share.port]
    assert process.memory_info().rss - before < FLOOD // 4
    size = 0
    async with asyncio.timeout(60):
        while data := await reader.read(1 << 16):
            size += len(data)
    assert size == FLOOD
    writer.close()


async def test_nothing_there_is_said_so(relay):
    made, path, share, _ = relay
    made._ports.ports.clear()
    assert (await say(path, head(share))).startswith(b"HTTP/1.1 502 ")
    assert not made._connections


UPGRADE = ("Upgrade: websocket", "Connection: Upgrade")


async def status(writers: list[asyncio.StreamWriter], path: Path, data: bytes) -> int:
    """The status of the answer to one request, 0 when it is carried; its connection stays open among `writers`."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    writers.append(writer)
    writer.write(data)
    async with asyncio.timeout(30):
        line = await reader.readline()
    return 0 if b" 101 " in line else int(line.split()[1])


@pytest.fixture
def small(monkeypatch):
    """The bounds of the relay, so small that a test reaches them at once."""
    for name, value in {"MAX_LIVE": 12, "FOR_OWNER": 4, "MAX_A_PORT": 7, "MAX_A_CLIENT": 3}.items():
        monkeypatch.setattr(service, name, value)


async def test_no_visitor_takes_what_is_the_others_and_none_what_is_the_owners(small, relay, monkeypatch):
    made, path, share, _ = relay
    monkeypatch.setattr(made._auth, "login_session_alive", lambda name: name == "me")
    writers: list[asyncio.StreamWriter] = []

    async def visits(client: str, times: int = 1) -> list[int]:
        data = head(share, *UPGRADE, path="/idle", client=client)
        return [await status(writers, path, data) for _ in range(times)]

    owner = head(share, *UPGRADE, path="/idle", right="owner:me")
    assert await visits("2001:db8::1", 2) + await visits("2001:db8::2", 2) == [0, 0, 0, 429]
    assert await visits("203.0.113.7", 4) == [0, 0, 0, 429]
    assert await visits("203.0.113.8", 2) == [0, 503], "the port is full"
    assert [await status(writers, path, owner) for _ in range(6)] == [0, 0, 0, 0, 0, 503]
    writers[0].close()
    async with asyncio.timeout(30):
        while await visits("203.0.113.8") != [0]:  # noqa: ASYNC110 - its end is noticed in a moment
            await asyncio.sleep(0.01)
    for writer in writers:
        writer.close()
