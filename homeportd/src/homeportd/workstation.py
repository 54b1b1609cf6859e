"""Makes the rooms of a workstation and takes them down again; `app.py` enters `workstation` where there is one."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from homeportd.auth.guard import Guard
from homeportd.auth.passwords import Passwords
from homeportd.auth.service import Auth
from homeportd.database import Database
from homeportd.event_publisher import EventPublisher
from homeportd.events import Events
from homeportd.gateway import api as gateway_api
from homeportd.gateway.app import Gateway
from homeportd.ports import api as ports_api
from homeportd.ports.owner_reader.client import TreeReader
from homeportd.ports.service import Ports
from homeportd.relay.service import Relay
from homeportd.repos import api as repos_api
from homeportd.repos.service import Repos
from homeportd.settings import Origin, Settings
from homeportd.shares import api as shares_api
from homeportd.shares.access import AccessLog
from homeportd.shares.coverage import refusal
from homeportd.shares.model import Mode
from homeportd.shares.service import Shares
from homeportd.shares.store import ShareStore
from homeportd.system.api import Counts


class Workstation:
    """Running rooms: what is served here, from where, and to whom."""

    def __init__(
        self, origin: Origin, ports: Ports, repos: Repos, shares: Shares, log: AccessLog, gateway: Gateway
    ) -> None:
        self.gateway = gateway
        self._origin = origin
        self._ports = ports
        self._repos = repos
        self._shares = shares
        self._log = log

    def routers(self, guard: Guard) -> list[APIRouter]:
        """The routes of these rooms."""
        return [
            shares_api.router(self._shares, self._log, guard, self._origin),
            ports_api.router(self._ports, self._shares, guard, self._origin),
            repos_api.router(self._repos, self._placed, guard),
            gateway_api.router(),
        ]

    def count(self) -> Counts:
        """How many there are now."""
        shared = sum(share.mode is not Mode.PRIVATE for share in self._shares.all())
        return Counts(ports=len(self._ports.snapshot()), shared=shared, repos=len(self._repos.all()))

    def sweep(self) -> None:
        """End shares whose time is over."""
        self._shares.sweep()

    def _placed(self) -> list[tuple[int, str | None]]:
        return [(port.port, port.repo) for port in self._ports.snapshot().values()]


@asynccontextmanager
async def workstation(
    settings: Settings,
    origin: Origin,
    database: Database,
    auth: Auth,
    passwords: Passwords,
    key: bytes,
    events: Events,
) -> AsyncIterator[Workstation]:
    """Rooms that look and listen; visitors come by `Workstation.gateway`. Raises OSError."""
    async with contextlib.AsyncExitStack() as stack:
        shares = Shares(ShareStore(database), passwords, refusal=lambda port: refusal(port, settings))
        await shares.load()
        log = AccessLog(database)
        log.start()
        stack.push_async_callback(log.close)
        reader = settings.owner_reader
        repos = Repos(settings, TreeReader(reader) if reader is not None else None)
        await repos.start()
        stack.push_async_callback(repos.close)
        ports = Ports(settings, repos)
        await ports.start()
        stack.push_async_callback(ports.close)
        live = EventPublisher(events, ports, shares, repos, log, origin)
        live.start()
        stack.push_async_callback(live.close)
        relay = Relay(ports, shares, auth)
        await relay.start(settings.socket("relay"))
        stack.push_async_callback(relay.close)
        gateway = Gateway(origin, ports, shares, auth, log, key)
        yield Workstation(origin, ports, repos, shares, log, gateway)
