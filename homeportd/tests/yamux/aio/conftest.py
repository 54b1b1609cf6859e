"""Sessions over real sockets, on asyncio's own loop and on uvloop, both in debug mode."""

from __future__ import annotations

import asyncio
import functools
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
import uvloop

from homeportd.yamux.aio import Session
from homeportd.yamux.config import Config
from homeportd.yamux.frames import Role
from homeportd.yamux.stream import Stream

Connect = Callable[..., Awaitable[tuple[Session, Session]]]
Raw = Callable[..., Awaitable[tuple[Session, socket.socket]]]


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loops that every test of this folder runs on."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
def no_complaints(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Asyncio says through its logger what nobody handled: an exception in a callback, a task never awaited."""
    yield
    for when in ("setup", "call", "teardown"):
        complaints = [r.getMessage() for r in caplog.get_records(when) if r.name == "asyncio"]
        complaints = [text for text in complaints if not text.startswith(("Using selector", "Executing <"))]
        assert not complaints


@pytest.fixture
async def tidy_loop(caplog: pytest.LogCaptureFixture) -> AsyncIterator[asyncio.AbstractEventLoop]:
    """The running loop in debug mode; at the end no task may be left."""
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    before = asyncio.all_tasks()
    yield loop
    for _ in range(500):  # cancelled tasks need a turn to end
        if not (left := asyncio.all_tasks() - before - {asyncio.current_task()}):
            break
        await asyncio.sleep(0.01)
    assert not left


@pytest.fixture
async def connect(tidy_loop: asyncio.AbstractEventLoop) -> AsyncIterator[Connect]:
    """Make a client and a server session over a socket pair; they are closed after the test."""
    made: list[Session] = []

    async def make(
        client: Config | None = None, server: Config | None = None, buffers: int | None = None
    ) -> tuple[Session, Session]:
        ends = socket.socketpair()
        sessions = []
        for end, role, config in zip(ends, Role, (client, server), strict=True):
            if buffers is not None:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffers)
                end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffers)
            end.setblocking(False)
            factory = functools.partial(Session, role, config)
            _, session = await tidy_loop.create_connection(factory, sock=end)
            sessions.append(session)
        made.extend(sessions)
        return sessions[0], sessions[1]

    yield make
    for session in made:
        session.abort("the test is over")
        await session.wait_closed()


@pytest.fixture
async def raw(tidy_loop: asyncio.AbstractEventLoop) -> AsyncIterator[Raw]:
    """Make a server session whose peer is a bare socket, for a test to misuse."""
    made: list[tuple[Session, socket.socket]] = []

    async def make(config: Config | None = None) -> tuple[Session, socket.socket]:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        _, session = await tidy_loop.create_connection(lambda: Session(Role.SERVER, config), sock=ours)
        made.append((session, theirs))
        return session, theirs

    yield make
    for session, theirs in made:
        session.abort("the test is over")
        await session.wait_closed()
        theirs.close()


@pytest.fixture
async def streams(connect: Connect) -> tuple[Stream, Stream]:
    """Both ends of one open stream."""
    client, server = await connect()
    near = await client.open()
    return near, await server.accept()
