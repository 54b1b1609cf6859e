"""The routes of ports."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from homeportd import clock
from homeportd.auth.guard import Guard
from homeportd.errors import not_found
from homeportd.http import problems
from homeportd.origin import Origin
from homeportd.ports.bindings import Bindings
from homeportd.ports.history import PortHistory
from homeportd.ports.model import Port
from homeportd.ports.service import Ports
from homeportd.ports.view import PortHistoryView, PortView, port_view
from homeportd.shares.service import Shares
from homeportd.shares.view import ShareView, share_view


def router(
    ports: Ports, history: PortHistory, shares: Shares, bindings: Bindings, guard: Guard, origin: Origin
) -> APIRouter:
    """The routes of this room."""
    routes = APIRouter(prefix="/api/ports", tags=["ports"], dependencies=[Depends(guard)])

    def view(number: int, found: Port | None) -> PortView:
        return port_view(number, found, shares.get(number), origin, ports.outside(number))

    @routes.get("", responses=problems(401))
    async def list_ports() -> list[PortView]:
        found = ports.snapshot()
        numbers = sorted(set(found) | {share.port for share in shares.all()})
        return [view(number, found.get(number)) for number in numbers]

    @routes.get("/{port}", responses=problems(401, 404, 422))
    async def read_port(port: Annotated[int, Path(ge=1, le=65535)]) -> PortView:
        found, share = ports.get(port), shares.get(port)
        if found is None and share is None:
            fix = "start its server; homeport list shows what runs"
            if ports.outside(port):
                fix = f"port {port} is not looked at: it is Homeport's own, or outside homeport_port_ranges"
            raise not_found(f"a listener on port {port}", fix)
        return view(port, found)

    @routes.get("/{port}/history", responses=problems(401, 404, 422))
    async def read_port_history(port: Annotated[int, Path(ge=1, le=65535)]) -> PortHistoryView:
        """When something first and last listened on a number, also before a restart of the machine."""
        seen = history.get(port)
        if seen is None:
            raise not_found(
                f"a listener on port {port}, now or before,",
                "start its server; homeport list shows what runs",
            )
        return PortHistoryView(
            port=port,
            repo=seen.repo,
            first_seen=clock.to_text(seen.first_seen),
            last_seen=clock.to_text(seen.last_seen),
        )

    @routes.post("/{port}/share/resume", responses=problems(401, 403, 404, 409, 422, 503), tags=["shares"])
    async def resume_share(port: Annotated[int, Path(ge=1, le=65535)]) -> ShareView:
        """Let a paused share go on with what listens on the port now."""
        return share_view(port, await bindings.resume(port), origin)

    return routes
