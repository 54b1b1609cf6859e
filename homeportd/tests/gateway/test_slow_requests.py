"""Requests that do not come to an end: they hold a place for ten seconds, and one client's hold few."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from homeportd import http_protocol
from homeportd.http_protocol import SLOW_A_CLIENT

from ..freeports import free_ports
from ..installation import Installation, program, socket_folder

FORM = "POST /.homeport/password HTTP/1.1\r\nHost: {host}\r\nContent-Length: 900\r\n"
LOGIN = (
    "POST /api/session HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: 900\r\n"
)
PATIENCE_S = 60


@pytest.fixture
def hasty(monkeypatch):
    """A second instead of ten. Ahead of `gateway` among a test's fixtures."""
    monkeypatch.setattr(http_protocol, "REQUEST_S", 1.0)


@asynccontextmanager
async def half_sent(number: int, data: str):
    """A connection to Caddy that has sent so much, and the reader of what comes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", number)
    try:
        writer.write(data.encode())
        yield reader
    finally:
        writer.close()


@asynccontextmanager
async def over(path, data: str):
    """The same on a socket of the agent."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    try:
        writer.write(data.encode())
        yield reader
    finally:
        writer.close()


async def all_of(reader) -> bytes:
    async with asyncio.timeout(PATIENCE_S):
        try:
            return bytes(await reader.read())
        except ConnectionError:
            return b"reset"


@pytest.mark.parametrize("name", ["web", "cli", "gateway"])
@pytest.mark.parametrize(
    ("data", "status"),
    [
        ("POST /api/session HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{", b"408"),
        ("POST /api/session HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n", b"408"),
        ("POST /api/session HTTP/1.1\r\nHo", b"408"),
        ("", None),
    ],
    ids=["body", "chunked body", "head", "nothing"],
)
async def test_every_listener_of_the_agent_ends_what_is_not_whole_in_time(hasty, running, name, data, status):
    if name == "gateway":
        data = data.replace(
            "Host: x", "X-Homeport-Kind: visitor\r\nX-Homeport-Port: 3000\r\nX-Homeport-Client: 1.1.1.1"
        )
        data = data.replace("/api/session", "/.homeport/password")
    async with over(running.socket(name), data) as reader:
        said = await all_of(reader)
        assert said.split(b" ")[1:2] == ([status] if status else []), said


async def test_a_connection_between_two_requests_is_kept(hasty, running):
    async with over(running.socket("cli"), "GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n") as reader:
        await reader.readuntil(b'"ok"}')
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(), 2)


async def test_one_client_holds_few_bodies_and_others_go_on(gateway, dev):
    await gateway.share(dev.port, "password", password="open sesame")
    forms = FORM.format(host=gateway.host(dev.port)) + "\r\npassword="
    logins = LOGIN.format(host=gateway.host()) + "\r\n{"
    async with AsyncExitStack() as stack:
        for data in (forms, logins):
            lines = [
                asyncio.create_task(
                    (await stack.enter_async_context(half_sent(gateway.number, data))).readline()
                )
                for _ in range(2 * SLOW_A_CLIENT)
            ]
            async with asyncio.timeout(8):  # before the time of any is over
                for answered in itertools.islice(asyncio.as_completed(lines), SLOW_A_CLIENT):
                    assert b" 429 " in await answered
            for line in lines:
                line.cancel()
        assert (await gateway.get(dev.port)).status_code == 401, "decisions go on"
        assert await gateway.share_cookie(dev.port, "open sesame"), "whole forms of the same client go on"
        assert await gateway.log_in()


def test_few_descriptors_are_enough_for_the_owner():
    """300 half sent forms while the agent may open 200 files: the command line and the pages answer."""
    front, dev, last = free_ports(3)
    with socket_folder() as folder:
        made = Installation(folder, folder, front, min(dev, last), max(dev, last))
        made.configure(user_reason="root")
        serve = f"exec {program('homeportd')} serve --config {made.config} --allow-root"
        try:
            made.start("agent", "sh", "-c", f"ulimit -n 200; {serve}")
            made.wait("agent", made.answers)
            made.start_caddy()
            asyncio.run(_crowd(made))
        finally:
            made.end()


async def _crowd(made: Installation) -> None:
    made.call("POST", f"/api/ports/{made.first}/share", {"mode": "password", "password": "open sesame"})
    writers = []
    for _ in range(300):
        _, writer = await asyncio.open_connection("127.0.0.1", made.front)
        writer.write((FORM.format(host=f"{made.first}.localhost:{made.front}") + "\r\npass").encode())
        writers.append(writer)
    for _ in range(20):
        assert made.call("GET", "/api/session")["kind"] == "peer"
        async with half_sent(made.front, f"GET / HTTP/1.1\r\nHost: localhost:{made.front}\r\n\r\n") as reader:
            assert (await reader.readline()).startswith((b"HTTP/1.1 200", b"HTTP/1.1 503 S"))
        head = f"GET / HTTP/1.1\r\nHost: {made.first}.localhost:{made.front}\r\n\r\n"
        async with half_sent(made.front, head) as reader:
            assert (await reader.readline()).startswith(b"HTTP/1.1 401")
    for writer in writers:
        writer.close()
