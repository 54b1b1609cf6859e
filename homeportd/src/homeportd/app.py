"""The agent: makes the rooms, introduces them to one another, opens the sockets, closes it all again."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from homeportd import clock, sockets
from homeportd.auth import api as auth_api
from homeportd.auth.guard import guard
from homeportd.auth.passwords import Passwords
from homeportd.auth.peer import PeerProtocol
from homeportd.auth.service import Auth
from homeportd.auth.signing import read_key
from homeportd.auth.store import AuthStore
from homeportd.database import Database
from homeportd.events import Events
from homeportd.gateway import api as gateway_api
from homeportd.gateway.app import Gateway
from homeportd.gateway.quick import QuickProtocol
from homeportd.live import Live
from homeportd.notify import notify, watchdog_s
from homeportd.ports import api as ports_api
from homeportd.ports.service import Ports
from homeportd.relay.service import Relay
from homeportd.repos import api as repos_api
from homeportd.repos.service import Repos
from homeportd.settings import Settings
from homeportd.shares import api as shares_api
from homeportd.shares.access import AccessLog
from homeportd.shares.model import Mode
from homeportd.shares.service import Shares
from homeportd.shares.store import ShareStore
from homeportd.system import api as system_api
from homeportd.system.api import Counts
from homeportd.system.service import System
from homeportd.watch import router as watch_router
from homeportd.web import application

SWEEP_S = 0.5  # how late an expired share may end what it opened
STOP_S = 3  # for requests under way when the agent stops
MAX_WATCHER_MESSAGE = 4096  # bytes; a dashboard sends nothing

_log = logging.getLogger(__name__)


class AlreadyRunning(Exception):
    """Another agent serves this data directory."""


class _Server(uvicorn.Server):
    """A uvicorn server among several in one process: the agent handles the signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


def _config(app: Any, protocol: type[HttpToolsProtocol], *, websockets: bool) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=protocol,
        ws=WebSocketsSansIOProtocol if websockets else "none",
        ws_max_size=MAX_WATCHER_MESSAGE,
        ws_per_message_deflate=False,
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        backlog=sockets.BACKLOG,
        timeout_keep_alive=120,
        timeout_graceful_shutdown=STOP_S,
    )


@asynccontextmanager
async def _serving(config: uvicorn.Config, listener: socket.socket) -> AsyncIterator[None]:
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            if task.done():
                task.result()
            await asyncio.sleep(0.005)
        yield
    finally:
        server.should_exit = True
        await task
        listener.close()


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    descriptor = os.open(settings.data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise AlreadyRunning(f"another agent serves {settings.data_dir}") from None
    finally:
        os.close(descriptor)


@asynccontextmanager
async def agent(  # noqa: PLR0915 - a line or two a room
    settings: Settings, *, bcrypt_rounds: int | None = None
) -> AsyncIterator[None]:
    """A whole agent, serving until the block ends.

    Raises AlreadyRunning, DatabaseError, and OSError when a socket or folder cannot be made.
    """
    origin = settings.origins
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.socket_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        stack.enter_context(_alone(settings))
        database = await Database.open(settings.data_dir / "homeport.db")
        stack.push_async_callback(database.close)
        key = read_key(settings.data_dir / "secret.key")
        passwords = Passwords(bcrypt_rounds) if bcrypt_rounds else Passwords()
        stack.callback(passwords.close)

        auth = Auth(AuthStore(database), passwords, key)
        await auth.load()
        stack.push_async_callback(auth.close)
        shares = Shares(ShareStore(database), passwords)
        await shares.load()
        access_log = AccessLog(database)
        access_log.start()
        stack.push_async_callback(access_log.close)
        events = Events()
        tunnels = None
        if settings.edge:
            # Imported late: most machines are no edge, and it is memory.
            from homeportd.edge.start import edge

            tunnels = await stack.enter_async_context(
                edge(settings.edge, database, auth, passwords, key, events)
            )
        repos = Repos(settings)
        await repos.start()
        stack.push_async_callback(repos.close)
        ports = Ports(settings, repos)
        await ports.start()
        stack.push_async_callback(ports.close)
        system = System(settings)
        live = Live(events, ports, shares, repos, system, access_log, origin)
        live.start()
        stack.push_async_callback(live.close)

        def placed() -> list[tuple[int, str | None]]:
            return [(port.port, port.repo) for port in ports.snapshot().values()]

        def count() -> Counts:
            shared = sum(share.mode is not Mode.PRIVATE for share in shares.all())
            return Counts(ports=len(ports.snapshot()), shared=shared, repos=len(repos.all()))

        relay = Relay(ports, shares, auth)
        gateway = Gateway(origin, ports, shares, auth, access_log, key)
        door = guard(auth, origin)
        web = application(
            [
                auth_api.router(auth, door, origin),
                shares_api.router(shares, access_log, door, origin),
                ports_api.router(ports, shares, door, origin),
                repos_api.router(repos, placed, door),
                system_api.router(system, origin, count, clock.now(), door),
                gateway_api.router(),
                watch_router(events, auth, door),
                *([tunnels.router(door)] if tunnels else []),
            ]
        )
        await relay.start(settings.socket("relay"))
        stack.push_async_callback(relay.close)
        await _open_sockets(stack, settings, gateway, web)
        if tunnels is not None:
            await stack.enter_async_context(tunnels.serve(web))
        stack.callback(events.close)  # before the servers wait for their clients
        for sweep in (shares.sweep, auth.sweep):
            await stack.enter_async_context(_every(SWEEP_S, sweep))
        # What was made until now lives as long as the agent; the collector need not look at it again.
        gc.collect()
        gc.freeze()
        yield


async def _open_sockets(stack: AsyncExitStack, settings: Settings, gateway: Gateway, web: FastAPI) -> None:
    for name, mode, config in (
        ("gateway", 0o660, _config(gateway, QuickProtocol, websockets=False)),
        ("web", 0o660, _config(web, HttpToolsProtocol, websockets=True)),
        ("cli", 0o600, _config(web, PeerProtocol, websockets=False)),
    ):
        listener = sockets.listen(settings.socket(name), mode)
        await stack.enter_async_context(_serving(config, listener))


@asynccontextmanager
async def _every(period_s: float, action: Any) -> AsyncIterator[None]:
    async def repeat() -> None:
        while True:
            await asyncio.sleep(period_s)
            action()

    task = asyncio.create_task(repeat())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def serve(settings: Settings) -> None:
    """Run an agent until SIGTERM or SIGINT; raises what `agent` raises."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with agent(settings), AsyncExitStack() as stack:
        notify("READY=1")
        if period_s := watchdog_s():
            await stack.enter_async_context(_every(period_s, lambda: notify("WATCHDOG=1")))
        _log.info("serving %s", settings.origins.dashboard)
        await stop.wait()
        notify("STOPPING=1")
        _log.info("stopping")
