"""The core of every agent: the parts that the rooms of all systems need, and the routes that every agent has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from homeportd import clock, endings, events_api
from homeportd.assembly.model import Assembly, Sweep
from homeportd.auth import api as auth_api
from homeportd.auth.guard import Guard, guard
from homeportd.auth.passwords import Passwords
from homeportd.auth.peer_protocol import PeerProtocol
from homeportd.auth.service import Auth
from homeportd.auth.signing import read_key
from homeportd.auth.store import AuthStore
from homeportd.data_lock import data_lock
from homeportd.database import Database
from homeportd.endings import Endings
from homeportd.events import Events
from homeportd.gateway.admin_networks import AdminNetworks
from homeportd.http_server import UnixServer
from homeportd.jobs import api as jobs_api
from homeportd.jobs.event_publisher import publish_jobs
from homeportd.jobs.service import Jobs
from homeportd.jobs.store import JobStore
from homeportd.preferences.service import Preferences
from homeportd.preferences.store import PreferenceStore
from homeportd.settings import Settings
from homeportd.system import api as system_api
from homeportd.system.api import EdgeView
from homeportd.system.model import About, Counts
from homeportd.system.served_user import user_choice
from homeportd.system.service import System
from homeportd.system.view import EVENTS, system_view
from homeportd.uvicorn_config import uvicorn_config

SWEEP_S: Final = 0.5  # how late an expired login or token may end what it opened
LOAD_S: Final = 3.0  # between two readings of the machine's load, while a dashboard shows it


@dataclass(frozen=True)
class Core:
    """The parts that assemblies make their rooms with. `key` signs cookies; `guard` finds the caller of a request."""

    settings: Settings
    database: Database
    auth: Auth
    passwords: Passwords
    key: bytes
    events: Events
    guard: Guard
    endings: Endings
    jobs: Jobs
    preferences: Preferences  # loaded; a system declares its sections


@asynccontextmanager
async def open(settings: Settings, *, bcrypt_rounds: int | None = None) -> AsyncIterator[Core]:
    """The core, with the data folder locked and its database open.

    Raises AlreadyRunning, DatabaseError, and OSError when a folder or file cannot be made.
    """
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.socket_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        stack.enter_context(data_lock(settings.data_dir))
        database = await Database.open(settings.data_dir / "homeport.db")
        stack.push_async_callback(database.close)
        key = read_key(settings.data_dir / "secret.key")
        passwords = Passwords(bcrypt_rounds)
        stack.callback(passwords.close)
        ends = Endings(database)
        auth = Auth(AuthStore(database), passwords, key, ends)
        await auth.load()
        stack.push_async_callback(auth.close)
        jobs = Jobs(JobStore(database))
        await jobs.load()
        stack.push_async_callback(jobs.close)
        preferences = Preferences(PreferenceStore(database), key)
        await preferences.load()
        may = guard(auth, settings.dashboard)
        yield Core(settings, database, auth, passwords, key, Events(), may, ends, jobs, preferences)


def assembly(core: Core, counts: Callable[[], Counts]) -> Assembly:
    """The routes and listeners of every agent; `counts` is asked for at each request."""
    settings, auth, events = core.settings, core.auth, core.events
    system = System(settings.data_dir)
    events.declare(EVENTS)
    publish_jobs(events, core.jobs)

    def show_load() -> None:
        if events.watched:
            events.show("system", system_view(system.read()).model_dump())

    return Assembly(
        routers=(
            auth_api.router(auth, core.guard, settings.dashboard, settings.origins),
            system_api.router(system, _about(settings), _edge_view(settings), counts, core.guard),
            events_api.router(events, auth, core.guard),
            jobs_api.router(core.jobs, core.guard),
        ),
        sweeps=(
            Sweep("logins and tokens", SWEEP_S, auth.sweep),
            Sweep("ends of rights", endings.SWEEP_S, core.endings.sweep),
            Sweep("load", LOAD_S, show_load),
        ),
        listeners=lambda web: (
            UnixServer(
                settings.socket("web"),
                0o660,
                uvicorn_config(AdminNetworks(web, settings.admin_networks), part=1 / 8),
            ),
            UnixServer(
                settings.socket("cli"),
                0o600,
                uvicorn_config(web, PeerProtocol, part=1 / 16, websockets=False),
            ),
        ),
    )


def _about(settings: Settings) -> About:
    return About(
        dashboard=settings.dashboard,
        origin=settings.origin,
        user_choice=user_choice(settings),
        started_at=clock.now(),
    )


def _edge_view(settings: Settings) -> EdgeView | None:
    edge = settings.edge
    if edge is None:
        return None
    return EdgeView(
        url=edge.url,
        admin_url=edge.admin,
        host=edge.host,
        tcp_ports=edge.tcp_ports,
        udp_ports=edge.udp_ports,
    )
