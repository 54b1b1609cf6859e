"""How the agent and its machine are."""

import os
import pwd
import socket
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from homeportd import __version__, clock
from homeportd.auth.guard import Guard
from homeportd.auth.model import Caller
from homeportd.http import problems
from homeportd.settings import Settings
from homeportd.system.served_user import user_choice
from homeportd.system.service import System
from homeportd.system.view import SystemView, UserChoiceView, system_view, user_choice_view


class Health(BaseModel):
    """The agent answers."""

    status: Literal["ok"]


class Counts(BaseModel):
    """How many there are now."""

    ports: int
    shared: int
    repos: int


class EdgeView(BaseModel):
    """What this machine is as an edge: the pattern of HTTP names, its admin origin, where ports are reached."""

    url: str
    admin_url: str
    host: str
    tcp_ports: str
    udp_ports: str


class Status(BaseModel):
    """The agent and its machine. `origin` null: no workstation; `edge` null: no edge.

    `user_choice` says why the agent serves `user`; null where its settings do not.
    """

    version: str
    hostname: str
    user: str
    user_choice: UserChoiceView | None
    started_at: str
    uptime_s: float
    dashboard_url: str
    origin: str | None
    edge: EdgeView | None
    system: SystemView
    counts: Counts


def _user() -> str:
    """The agent's own user: its environment may have the name of whoever started supervisord."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def router(
    system: System, settings: Settings, count: Callable[[], Counts], started: datetime, guard: Guard
) -> APIRouter:
    """The routes of this room; `count` is asked anew each time."""
    routes = APIRouter(tags=["system"])
    hostname, user = socket.gethostname(), _user()
    choice = user_choice(settings)
    edge = None
    if settings.edge:
        edge = EdgeView(
            url=settings.edge.url,
            admin_url=settings.edge.admin,
            host=settings.edge.host,
            tcp_ports=settings.edge.tcp_ports,
            udp_ports=settings.edge.udp_ports,
        )

    @routes.get("/api/health", openapi_extra={"security": []})
    async def health() -> Health:
        return Health(status="ok")

    @routes.get("/api/status", responses=problems(401))
    async def status(_caller: Annotated[Caller, Depends(guard)]) -> Status:
        return Status(
            version=__version__,
            hostname=hostname,
            user=user,
            user_choice=user_choice_view(choice) if choice else None,
            started_at=clock.to_text(started),
            uptime_s=round((clock.now() - started).total_seconds(), 1),
            dashboard_url=settings.dashboard,
            origin=settings.origin,
            edge=edge,
            system=system_view(system.read()),
            counts=count(),
        )

    return routes
