"""An assembly: the routes, sweeps, counts and listeners that a system gives to the agent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from fastapi import APIRouter
from starlette.types import ASGIApp

from homeportd.system.model import Counts
from homeportd.tasks import Action


@dataclass(frozen=True)
class Sweep:
    """Work that is repeated while the agent serves: `action`, each `period_s`, first after the first period."""

    name: str
    period_s: float
    action: Action


class Listener(Protocol):
    """A listener of the agent. All open after the rooms, stop together, and are closed before the rooms."""

    async def open(self) -> None:
        """Begin to accept connections. Raises OSError."""

    def stop(self) -> None:
        """Accept no more, and let every connection begin to end. Harmless before `open`, and twice."""

    async def close(self) -> None:
        """Wait until every connection has ended, within a time. Harmless before `open`."""


def _no_listeners(_web: ASGIApp) -> Sequence[Listener]:
    return ()


@dataclass(frozen=True)
class Assembly:
    """The running rooms of one system.

    `listeners` makes the system's listeners; its argument is the dashboard with the API of all systems.
    """

    routers: Sequence[APIRouter] = ()
    sweeps: Sequence[Sweep] = ()
    counts: Callable[[], Counts] = Counts
    listeners: Callable[[ASGIApp], Sequence[Listener]] = _no_listeners
