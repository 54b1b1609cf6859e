"""The API of an edge: tunnels, reservations, metrics."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool, WithJsonSchema

from homeportd.auth.guard import Guard
from homeportd.auth.passwords import LONGEST
from homeportd.auth.service import Auth
from homeportd.edge import names
from homeportd.edge.connections.links import Links
from homeportd.edge.names import RESERVED
from homeportd.edge.service import Tunnels
from homeportd.edge.settings import EdgeSettings
from homeportd.edge.traffic.connection_log import ConnectionLog
from homeportd.edge.traffic.metrics import CONTENT_TYPE, exposition
from homeportd.edge.traffic.rollups import Rollups
from homeportd.edge.tunnel import Tunnel
from homeportd.edge.view import (
    ConnectionLogRow,
    ReservationView,
    TrafficMinute,
    TunnelView,
    connection_log_row,
    reservation_view,
    traffic_minute,
    tunnel_view,
)
from homeportd.errors import not_found
from homeportd.http import NetworkText, problems
from homeportd.networks import MAX_NETWORKS
from homeportd.tunnels.protocol import Kind, Limits

MAX_HOURS = 14 * 24


def _any_case(word: str) -> str:
    """A regular expression for a word in upper or lower case, without a flag that some dialects lack."""
    return "".join(f"[{char.upper()}{char}]" if char.isalpha() else char for char in word)


# What the schema can say of names and ports. The edge refuses others with an error of its own.
_LABEL: dict[str, Any] = {
    "type": "string",
    "pattern": "^(?!..--)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$",
    "not": {"pattern": f"^({'|'.join(_any_case(name) for name in sorted(RESERVED))})$"},
}

TunnelId = Annotated[str, Path(max_length=64)]


class RulesBody(BaseModel):
    """The rules for visitors of a reserved name or port. `passcode` is for HTTP; left out, it stays.

    So is `subdomains`, with which names below the reserved one lead to its tunnel, too; null or left out, it stays.
    """

    model_config = ConfigDict(extra="forbid")

    allow: list[NetworkText] = Field(default=[], max_length=MAX_NETWORKS)
    limits: Limits = Limits()
    passcode: Annotated[str, Field(min_length=1, max_length=LONGEST)] | None = None
    subdomains: StrictBool | None = None


class ReservationBody(RulesBody):
    """A name (HTTP) or port (TCP, UDP) to keep; without one, the edge chooses.

    `token` is the id of the token it is for; without one it belongs to the first that uses it.
    """

    kind: Kind
    name: Annotated[str, Field(max_length=63), WithJsonSchema(_LABEL)] | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    token: Annotated[str, Field(max_length=64)] | None = None


def _kinds(settings: EdgeSettings) -> dict[str, Any]:
    """The fields that each kind of ReservationBody has, for the description of the API."""
    nothing = {"type": "null"}
    web = {"kind": {"const": Kind.HTTP}, "port": nothing}
    kinds = [{"properties": web}]
    for kind in (Kind.TCP, Kind.UDP):
        span = settings.span(kind)
        port = {"anyOf": [{"type": "integer", "minimum": span.first, "maximum": span.last}, nothing]}
        kinds.append(
            {
                "properties": {
                    "kind": {"const": kind},
                    "name": nothing,
                    "passcode": nothing,
                    "port": port,
                    "subdomains": {"enum": [False, None]},
                }
            }
        )
    return {"requestBody": {"content": {"application/json": {"schema": {"oneOf": kinds}}}}}


def router(
    settings: EdgeSettings,
    tunnels: Tunnels,
    links: Links,
    log: ConnectionLog,
    rollups: Rollups,
    auth: Auth,
    guard: Guard,
) -> APIRouter:
    """The routes for tunnels, reservations and metrics."""
    routes = APIRouter(tags=["edge"], dependencies=[Depends(guard)])

    def token_name(lineage: str) -> str | None:
        return next((t.name for t in reversed(auth.tokens()) if t.lineage == lineage), None)

    def shown(tunnel: Tunnel) -> TunnelView:
        return tunnel_view(tunnel, names.address(tunnel.reservation, settings))

    def reserved(tunnel: Tunnel) -> ReservationView:
        return reservation_view(tunnel, names.address(tunnel.reservation, settings), token_name)

    @routes.get("/api/tunnels", responses=problems(401))
    async def list_tunnels() -> list[TunnelView]:
        return [shown(tunnel) for tunnel in tunnels.registry]

    @routes.get("/api/tunnels/{tunnel_id}", responses=problems(401, 404, 422))
    async def read_tunnel(tunnel_id: TunnelId) -> TunnelView:
        return shown(tunnels.get(tunnel_id))

    @routes.delete("/api/tunnels/{tunnel_id}", status_code=204, responses=problems(401, 403, 404, 409, 422))
    async def kill_tunnel(tunnel_id: TunnelId) -> None:
        """End a live tunnel; its client does not ask for it again. A reservation stays."""
        await tunnels.kill(tunnel_id)

    @routes.get("/api/tunnels/{tunnel_id}/logs", responses=problems(401, 404, 422))
    async def read_tunnel_log(
        tunnel_id: TunnelId,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        before: Annotated[int, Query(ge=0, le=2**63 - 1)] | None = None,
    ) -> list[ConnectionLogRow]:
        """The connections and requests of visitors, newest first."""
        tunnels.get(tunnel_id)
        return [connection_log_row(row) for row in await log.newest(tunnel_id, limit, before)]

    @routes.get("/api/tunnels/{tunnel_id}/minutes", responses=problems(401, 404, 422))
    async def read_tunnel_minutes(
        tunnel_id: TunnelId, hours: Annotated[int, Query(ge=1, le=MAX_HOURS)] = 1
    ) -> list[TrafficMinute]:
        """The counters by the minute, oldest first; minutes without traffic are left out."""
        tunnels.get(tunnel_id)
        await rollups.write()
        return [traffic_minute(minute) for minute in await rollups.list(tunnel_id, hours * 60)]

    @routes.get("/api/reservations", responses=problems(401))
    async def list_reservations() -> list[ReservationView]:
        return [reserved(tunnel) for tunnel in tunnels.registry if tunnel.reservation.reserved]

    @routes.post(
        "/api/reservations",
        status_code=201,
        responses=problems(400, 401, 403, 404, 409, 413, 422, 503),
        openapi_extra=_kinds(settings),
    )
    async def reserve(body: ReservationBody) -> ReservationView:
        lineage = None
        if body.token is not None:
            lineage = next((token.lineage for token in auth.tokens() if token.id == body.token), None)
            if lineage is None:
                raise not_found(f"token {body.token}", "homeport token list shows the ids")
        tunnel = await tunnels.reserve(
            body.kind,
            body.name,
            body.port,
            lineage,
            tuple(body.allow),
            body.limits,
            body.passcode,
            subdomains=bool(body.subdomains),
        )
        return reserved(tunnel)

    @routes.put("/api/reservations/{tunnel_id}", responses=problems(400, 401, 403, 404, 409, 413, 422, 503))
    async def change_reservation(tunnel_id: TunnelId, body: RulesBody) -> ReservationView:
        """Change the rules of a reservation, for connected visitors too. A passcode of null removes it."""
        kept = "passcode" not in body.model_fields_set
        tunnel = await tunnels.edit(
            tunnel_id,
            tuple(body.allow),
            body.limits,
            body.passcode,
            keep_passcode=kept,
            subdomains=body.subdomains,
        )
        return reserved(tunnel)

    @routes.delete(
        "/api/reservations/{tunnel_id}", status_code=204, responses=problems(401, 403, 404, 409, 422)
    )
    async def remove_reservation(tunnel_id: TunnelId) -> None:
        """Give a name or port up; a live tunnel goes on until its client ends it. Its domains go first."""
        await tunnels.release(tunnel_id)

    @routes.get("/metrics", responses={200: {"content": {"text/plain": {}}}, **problems(401)})
    async def metrics() -> Response:
        """The metrics of all tunnels for Prometheus."""
        text = exposition(tunnels.registry, len(links), len(links.clients))
        return Response(text, media_type=CONTENT_TYPE)

    return routes
