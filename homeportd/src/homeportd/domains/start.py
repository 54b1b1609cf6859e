"""Makes the room of domains and takes it down again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import APIRouter

from homeportd.auth.guard import Guard
from homeportd.database import Database
from homeportd.domains import api
from homeportd.domains.lookup import Lookup
from homeportd.domains.model import Mapping
from homeportd.domains.service import Domains
from homeportd.domains.store import DomainStore
from homeportd.domains.transitions import Pace
from homeportd.domains.view import EVENTS, domain_view
from homeportd.edge.service import Tunnels
from homeportd.events import Events
from homeportd.settings import EdgeSettings

PACE = Pace()


async def load(settings: EdgeSettings, database: Database) -> Domains:
    """The domains there are; the edge needs their routes before it begins."""
    domains = Domains(settings, DomainStore(database), Lookup(settings.dns_server), PACE)
    await domains.load()
    return domains


@asynccontextmanager
async def watching(
    domains: Domains, settings: EdgeSettings, tunnels: Tunnels, events: Events
) -> AsyncIterator[Callable[[Guard], APIRouter]]:
    """Watch over them until the block ends; the value makes the routes of this room."""

    def tell(mapping: Mapping | None, domain: str) -> None:
        if mapping is None:
            events.publish("domain.removed", {"domain": domain})
        else:
            events.publish("domain.changed", domain_view(mapping, domains, settings).model_dump())

    events.declare(EVENTS)
    domains.on_change(tell)
    domains.start(tunnels)
    try:
        yield lambda guard: api.router(domains, settings, guard)
    finally:
        await domains.close()
