"""A client and a small edge in one loop, local servers to reach, and a watch over what is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import uvloop

from homeportd.tunnels.account import Account
from homeportd.tunnels.client import Client
from homeportd.tunnels.model import State, TunnelSpec
from homeportd.tunnels.protocol import Kind
from homeportd.tunnels.tunnel import Tunnel

from ..freeports import claims, free_port, free_ports
from .small_edge import Edge

PATIENCE = 60.0
UVLOOP = 3  # descriptors that it opens for itself when it first needs them, and keeps


def pytest_asyncio_loop_factories(config, item):
    """The loops that every test of this folder runs on."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
def no_complaints(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Asyncio says through its logger what nobody handled."""
    yield
    for when in ("setup", "call", "teardown"):
        complaints = [r.getMessage() for r in caplog.get_records(when) if r.name == "asyncio"]
        complaints = [text for text in complaints if not text.startswith(("Using selector", "Executing <"))]
        assert not complaints


async def until(true: Callable[[], object], what: str = "", patience: float = PATIENCE) -> None:
    """Wait for a condition."""
    try:
        async with asyncio.timeout(patience):
            while not true():  # noqa: ASYNC110 - of anything, also what sets no event
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"it did not come true: {what}") from None


def _descriptors() -> set[tuple[str, str]]:
    found = set()
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add((path.name, str(path.readlink())))
    return {each for each in found if int(each[0]) not in claims()}


@pytest.fixture
async def nothing_left() -> AsyncIterator[None]:
    """No task and no descriptor is left behind."""
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    tasks, before = asyncio.all_tasks(), _descriptors()
    yield
    await until(lambda: not asyncio.all_tasks() - tasks - {asyncio.current_task()}, "no task is left")
    try:
        await until(lambda: len(_descriptors()) <= len(before) + UVLOOP)
    except AssertionError:
        raise AssertionError(f"descriptors are left: {_descriptors() - before}") from None


@pytest.fixture(scope="session")
def ports() -> list[int]:
    """Those of the small edge, for TCP and UDP: one test after another has them."""
    return free_ports(100)


@pytest.fixture
async def edge(nothing_left, ports: list[int]) -> AsyncIterator[Edge]:
    """A small edge."""
    made = Edge(ports)
    await made.start(free_port())
    yield made
    await made.stop()


class Clients:
    """Running clients of one edge."""

    def __init__(self, edge: Edge) -> None:
        self.edge = edge
        self.account = Account(f"http://127.0.0.1:{edge.port}", "hp_good", links=1)
        self.rotations: list[tuple[str, str]] = []
        self.full_disk = False
        self.unstored: list[tuple[str, str]] = []  # rotations while the disk was full
        self._stack = AsyncExitStack()

    async def start(self, links: int | None = None) -> Client:
        """A client that runs until the test is over."""
        client = Client(lambda: self.account, rotated=self._rotated, links=links)
        await self._stack.enter_async_context(running(client))
        return client

    def _rotated(self, old: str, new: str) -> bool:
        if self.full_disk:
            self.unstored.append((old, new))
            raise OSError(28, "No space left on device")
        self.rotations.append((old, new))
        self.account = Account(self.account.url, new, links=self.account.links)
        return True

    async def close(self) -> None:
        await self._stack.aclose()


@asynccontextmanager
async def running(client: Client) -> AsyncIterator[Client]:
    """Run a client for a while."""
    task = asyncio.create_task(client.run())
    try:
        yield client
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def clients(edge: Edge) -> AsyncIterator[Clients]:
    """Clients of the small edge."""
    made = Clients(edge)
    yield made
    await made.close()


@pytest.fixture
async def client(clients: Clients) -> Client:
    """One client with one link."""
    return await clients.start()


async def opened(client: Client, kind: Kind, target: int | str, **more: object) -> Tunnel:
    """A live tunnel."""
    tunnel = client.add(TunnelSpec(kind=kind, target=str(target), **more))  # type: ignore[arg-type]
    assert await client.answered(tunnel, PATIENCE)
    assert tunnel.state is State.LIVE, tunnel.error
    return tunnel


@pytest.fixture
async def serve(nothing_left) -> AsyncIterator[Callable[..., Awaitable[int]]]:
    """Start a local TCP server with a handler of streams; the value is its port."""
    servers: list[asyncio.Server] = []
    tasks: set[asyncio.Task[None]] = set()

    async def start(handler=None, host: str = "127.0.0.1") -> int:
        async def handled(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tasks.add(asyncio.current_task())  # type: ignore[arg-type]
            try:
                await (handler or echo)(reader, writer)
            except (ConnectionError, asyncio.CancelledError):  # asyncio 3.11 complains of cancelled handlers
                pass
            finally:
                writer.close()

        servers.append(await asyncio.start_server(handled, host, 0, backlog=2048))
        return servers[-1].sockets[0].getsockname()[1]

    yield start
    for server in servers:
        server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Say everything again, and end when the other side does."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
