"""Makes the rooms of an edge and takes them down again; `app.py` enters `edge` where the settings say so."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from time import monotonic

from fastapi import APIRouter
from starlette.types import ASGIApp

from homeportd.auth.guard import Guard
from homeportd.auth.passwords import Passwords
from homeportd.auth.service import Auth
from homeportd.database import Database
from homeportd.edge import api
from homeportd.edge.connections.listener import ALPN, ClientListener
from homeportd.edge.passcodes import Passcodes
from homeportd.edge.service import Tunnels
from homeportd.edge.store import ReservationStore
from homeportd.edge.traefik.access_log import AccessLog
from homeportd.edge.traefik.routes import Domain, Routes
from homeportd.edge.traffic.connection_log import Visit, Visits
from homeportd.edge.traffic.rollups import Rollups
from homeportd.edge.tunnel import Tunnel
from homeportd.edge.view import EVENTS, rates_view, tunnel_view, visit_view
from homeportd.edge.web import EdgeWeb, Protocols
from homeportd.events import Events
from homeportd.settings import EdgeSettings
from homeportd.token_bucket import TokenBucket
from homeportd.tunnels.limits import give_back, keep_memory, raise_descriptors

SWEEP_S = 1.0
GIVE_BACK_S = 30.0  # between two times that freed memory is given back
RATES_S = 2.0
# Visits that are shown as they happen: a watcher that lags behind 256 events is cut off. All are in the log.
SHOWN_BURST = 50
SHOWN_PER_S = 25.0

_log = logging.getLogger(__name__)


class Edge:
    """A running edge; its door opens last, with `serve`."""

    def __init__(
        self,
        settings: EdgeSettings,
        auth: Auth,
        tunnels: Tunnels,
        visits: Visits,
        rollups: Rollups,
        passcodes: Passcodes,
        is_domain: Callable[[str], bool],
    ) -> None:
        self.tunnels = tunnels
        self._settings = settings
        self._auth = auth
        self._visits = visits
        self._rollups = rollups
        self._passcodes = passcodes
        self._is_domain = is_domain

    def router(self, guard: Guard) -> APIRouter:
        """The routes of this room."""
        return api.router(self._settings, self.tunnels, self._visits, self._rollups, self._auth, guard)

    @asynccontextmanager
    async def serve(self, admin: ASGIApp) -> AsyncIterator[None]:
        """Let clients in, and the owner by `admin`, until the block ends. Raises OSError, ssl.SSLError."""
        registry = self.tunnels.registry
        web = EdgeWeb(self._settings, registry, self._passcodes, admin, self._is_domain)
        protocols = Protocols(web)
        door = ClientListener(self.tunnels, protocols)
        try:
            if self._settings.tls_listen is not None:
                await door.listen_tls(self._settings.tls_listen, _tls(self._settings))
            await door.listen(self._settings.listen)
            yield
        finally:
            await door.close()
            await protocols.close()


@asynccontextmanager
async def edge(
    settings: EdgeSettings,
    database: Database,
    auth: Auth,
    passwords: Passwords,
    key: bytes,
    events: Events,
    domains: Callable[[str], Sequence[Domain]],
    is_domain: Callable[[str], bool],
) -> AsyncIterator[Edge]:
    """An edge whose places listen; nobody can connect before `Edge.serve`. Raises OSError.

    `domains`: the host names that lead to a tunnel, by its id, besides its own; `is_domain`: whether one does to any.
    """
    raise_descriptors()
    keep_memory()
    async with contextlib.AsyncExitStack() as stack:
        visits = Visits(database)
        visits.start()
        stack.push_async_callback(visits.close)
        passcodes = Passcodes(passwords, key, secure=settings.scheme == "https")
        tunnels = Tunnels(
            settings, ReservationStore(database), auth, passcodes, visits, Routes(settings.routes_dir)
        )
        stack.push_async_callback(tunnels.close)
        tunnels.listening.set_domains(domains)
        await tunnels.start()
        rollups = Rollups(database, lambda: tunnels.registry)
        await rollups.recall()
        rollups.start()
        stack.push_async_callback(rollups.close)

        def tell(kind: str, tunnel: Tunnel) -> None:
            if kind == "closed":
                events.publish("tunnel.closed", {"id": tunnel.id})
            else:
                view = tunnel_view(tunnel, tunnels.listening.address(tunnel.reservation))
                events.publish(f"tunnel.{kind}", view.model_dump())

        shown = TokenBucket(SHOWN_BURST, SHOWN_PER_S)

        def show(visit: Visit) -> None:
            if events.watched and shown.take(monotonic()):
                events.show("tunnel.visit", {"tunnel": visit.tunnel, **visit_view(visit).model_dump()})

        events.declare(EVENTS)
        tunnels.on_change(tell)
        visits.appended.subscribe(show)
        if settings.access_log is not None:
            log = AccessLog(settings.access_log, visits, tunnels.registry, show)
            log.start()
            stack.push_async_callback(log.close)
        for work in (_sweep(tunnels), _show_rates(tunnels, events)):
            task = asyncio.create_task(work)
            stack.push_async_callback(_cancel, task)
        yield Edge(settings, auth, tunnels, visits, rollups, passcodes, is_domain)


async def _sweep(tunnels: Tunnels) -> None:
    given_back_at = monotonic()
    while True:
        await asyncio.sleep(SWEEP_S)
        try:
            await tunnels.sweep()
        except sqlite3.Error as error:
            _log.warning("what was left for too long could not be removed: %s", error)
        if monotonic() >= given_back_at + GIVE_BACK_S:
            given_back_at = monotonic()
            give_back()


async def _show_rates(tunnels: Tunnels, events: Events) -> None:
    shown: dict[str, int] = {}
    while True:
        await asyncio.sleep(RATES_S)
        if not events.watched:
            shown.clear()
            continue
        # Those alone where something changed; a thousand idle tunnels say nothing.
        views = {tunnel.id: rates_view(tunnel) for tunnel in tunnels.registry}
        marks = {id_: hash(view.model_dump_json(exclude={"round_trip_ms"})) for id_, view in views.items()}
        moved = [view.model_dump() for id_, view in views.items() if shown.get(id_) != marks[id_]]
        shown = marks
        if moved:
            events.show("tunnel.rates", {"tunnels": moved})


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _tls(settings: EdgeSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    assert settings.tls_cert is not None  # noqa: S101 - the settings say that the three belong together
    context.load_cert_chain(settings.tls_cert, settings.tls_key)
    context.set_alpn_protocols([ALPN])
    return context
