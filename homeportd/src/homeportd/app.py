"""The agent: makes the rooms, introduces them to one another, opens the sockets, closes it all again."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI

from homeportd import clock, sockets
from homeportd.auth import api as auth_api
from homeportd.auth.guard import guard
from homeportd.auth.passwords import Passwords
from homeportd.auth.peer_protocol import PeerProtocol
from homeportd.auth.service import Auth
from homeportd.auth.signing import read_key
from homeportd.auth.store import AuthStore
from homeportd.data_lock import data_lock
from homeportd.database import Database
from homeportd.events import Events
from homeportd.events_api import router as watch_router
from homeportd.gateway.app import Gateway
from homeportd.gateway.fast_path import FastPathProtocol
from homeportd.sd_notify import notify, watchdog_s
from homeportd.settings import Settings
from homeportd.system import api as system_api
from homeportd.system.api import Counts
from homeportd.system.service import System
from homeportd.system.view import EVENTS, system_view
from homeportd.uvicorn_config import uvicorn_config
from homeportd.uvicorn_shutdown import STOP_S, hang_up
from homeportd.web import application
from homeportd.workstation import workstation

SWEEP_S = 0.5  # how late an expired share may end what it opened
SYSTEM_S = 3  # between two figures of the machine's load

_log = logging.getLogger(__name__)


class _Server(uvicorn.Server):
    """A uvicorn server among several in one process: the agent handles the signals, and the end is bounded."""

    def stop(self) -> None:
        """Begin to end."""
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wait for requests under way, but not for whoever sends or reads too slowly."""
        timer = asyncio.get_running_loop().call_later(STOP_S, hang_up, self.server_state)
        try:
            await super().shutdown(sockets)
        finally:
            timer.cancel()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


@asynccontextmanager
async def _serving(config: uvicorn.Config, listener: socket.socket) -> AsyncIterator[_Server]:
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            if task.done():
                task.result()
            await asyncio.sleep(0.005)
        yield server
    finally:
        server.stop()
        await task
        listener.close()


@asynccontextmanager
async def agent(settings: Settings, *, bcrypt_rounds: int | None = None) -> AsyncIterator[None]:
    """A whole agent, serving until the block ends.

    Raises AlreadyRunning, DatabaseError, and OSError when a socket or folder cannot be made.
    """
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.socket_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        stack.enter_context(data_lock(settings.data_dir))
        database = await Database.open(settings.data_dir / "homeport.db")
        stack.push_async_callback(database.close)
        key = read_key(settings.data_dir / "secret.key")
        passwords = Passwords(bcrypt_rounds) if bcrypt_rounds else Passwords()
        stack.callback(passwords.close)

        auth = Auth(AuthStore(database), passwords, key)
        await auth.load()
        stack.push_async_callback(auth.close)
        events = Events()
        tunnels = None
        if settings.edge:
            # Imported late: most machines are no edge, and it is memory.
            from homeportd.domains.start import load, watching
            from homeportd.edge.start import edge

            domains = await load(settings.edge, database)
            told = domains.routes_of, domains.leads_here
            tunnels = await stack.enter_async_context(
                edge(settings.edge, database, auth, passwords, key, events, *told)
            )
            domains_router = await stack.enter_async_context(
                watching(domains, settings.edge, tunnels.tunnels, events)
            )
        desk = None
        if settings.origins:
            desk = await stack.enter_async_context(
                workstation(settings, settings.origins, database, auth, passwords, key, events)
            )
        system = System(settings)
        events.declare(EVENTS)
        count = desk.count if desk else lambda: Counts(ports=0, shared=0, repos=0)
        door = guard(auth, settings.dashboard)
        web = application(
            [
                auth_api.router(auth, door, settings.dashboard, settings.origins),
                *(desk.routers(door) if desk else []),
                system_api.router(system, settings, count, clock.now(), door),
                watch_router(events, auth, door),
                *([tunnels.router(door), domains_router(door)] if tunnels else []),
            ]
        )
        servers = await _open_sockets(stack, settings, desk.gateway if desk else None, web)
        if tunnels is not None:
            await stack.enter_async_context(tunnels.serve(web))
        for server in servers:  # all begin to end at once: each may need its whole time
            stack.callback(server.stop)
        stack.callback(events.close)  # before the servers wait for their clients
        for sweep in [auth.sweep, *([desk.sweep] if desk else [])]:
            await stack.enter_async_context(_every(SWEEP_S, sweep))
        await stack.enter_async_context(_every(SYSTEM_S, lambda: _show_load(events, system)))
        # What was made until now lives as long as the agent; the collector need not look at it again.
        gc.collect()
        gc.freeze()
        yield


def _show_load(events: Events, system: System) -> None:
    if events.watched:
        events.show("system", system_view(system.read()).model_dump())


async def _open_sockets(
    stack: AsyncExitStack, settings: Settings, gateway: Gateway | None, web: FastAPI
) -> list[_Server]:
    doors = [
        ("web", 0o660, uvicorn_config(web)),
        ("cli", 0o600, uvicorn_config(web, PeerProtocol, websockets=False)),
    ]
    if gateway is not None:
        doors.insert(0, ("gateway", 0o660, uvicorn_config(gateway, FastPathProtocol, websockets=False)))
    servers = []
    for name, mode, config in doors:
        listener = sockets.listen(settings.socket(name), mode)
        servers.append(await stack.enter_async_context(_serving(config, listener)))
    return servers


@asynccontextmanager
async def _every(period_s: float, action: Any) -> AsyncIterator[None]:
    async def repeat() -> None:
        failing = False
        while True:
            await asyncio.sleep(period_s)
            try:
                action()
            except Exception:
                # With no descriptor free, say: it is tried again, and told of once.
                if not failing:
                    _log.exception("what is done every %g s failed", period_s)
                failing = True
            else:
                failing = False

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
        _log.info("serving %s", settings.dashboard)
        await stop.wait()
        notify("STOPPING=1")
        _log.info("stopping")
