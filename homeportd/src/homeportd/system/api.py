"""The API of the agent's health and its machine's load."""

import socket
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from homeportd import __version__, clock
from homeportd.accounts import own_name
from homeportd.auth.guard import Guard
from homeportd.auth.model import Caller
from homeportd.http import problems
from homeportd.system.model import About, Counts
from homeportd.system.service import System
from homeportd.system.view import SystemView, UserChoiceView, system_view, user_choice_view


class Health(BaseModel):
    """The answer of an agent that is up."""

    status: Literal["ok"]


class CountsView(BaseModel):
    """Numbers of things on this machine."""

    ports: int
    shared: int
    repos: int


class EdgeView(BaseModel):
    """This machine as an edge: the pattern of HTTP names, the admin origin, the host and ranges of ports."""

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
    counts: CountsView


def router(
    system: System, about: About, edge: EdgeView | None, counts: Callable[[], Counts], guard: Guard
) -> APIRouter:
    """The routes of health and status; `counts` is called at each request."""
    routes = APIRouter(tags=["system"])
    hostname, user = socket.gethostname(), own_name()
    choice, started = about.user_choice, about.started_at

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
            dashboard_url=about.dashboard,
            origin=about.origin,
            edge=edge,
            system=system_view(system.read()),
            counts=CountsView(**asdict(counts())),
        )

    return routes
