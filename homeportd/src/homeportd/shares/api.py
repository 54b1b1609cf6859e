"""Sharing a port, and reading who came."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from homeportd.auth.guard import Guard
from homeportd.auth.passwords import LONGEST
from homeportd.http import problems
from homeportd.settings import Origin
from homeportd.shares.access import AccessLog
from homeportd.shares.model import Mode
from homeportd.shares.service import MAX_NETWORKS, Shares, Wish
from homeportd.shares.view import AccessView, ShareView, access_view, share_view

PortNumber = Annotated[int, Path(ge=1, le=65535)]


class ShareBody(BaseModel):
    """Who may see the port from now on. It replaces the share there was, but for a password left out."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"mode": "password", "password": "correct horse", "expires": "24h"},
                {"mode": "public"},
            ]
        },
    )

    mode: Literal["private", "password", "public"]
    password: Annotated[str, Field(min_length=1, max_length=LONGEST)] | None = None
    expires: Annotated[str, Field(max_length=40)] | None = Field(
        default=None, description="30m, 24h, 7d, 2w, a date, a moment with its zone, or never"
    )
    allow: list[Annotated[str, Field(max_length=64)]] = Field(default=[], max_length=MAX_NETWORKS)
    max_uses: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


def router(shares: Shares, log: AccessLog, guard: Guard, origin: Origin) -> APIRouter:
    """The routes of this room."""
    routes = APIRouter(prefix="/api/ports/{port}", tags=["shares"], dependencies=[Depends(guard)])

    @routes.get("/share", responses=problems(401, 422))
    async def read_share(port: PortNumber) -> ShareView:
        return share_view(port, shares.get(port), origin)

    @routes.post("/share", responses=problems(401, 403, 413, 422, 503))
    async def set_share(port: PortNumber, body: ShareBody) -> ShareView:
        wish = Wish(Mode(body.mode), body.password, body.expires, tuple(body.allow), body.max_uses)
        return share_view(port, await shares.set(port, wish), origin)

    @routes.delete("/share", status_code=204, responses=problems(401, 403, 404, 422))
    async def remove_share(port: PortNumber) -> None:
        await shares.remove(port)

    @routes.get("/logs", responses=problems(401, 422))
    async def read_log(
        port: PortNumber,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        before: Annotated[int, Query(ge=0, le=2**63 - 1)] | None = None,
    ) -> list[AccessView]:
        return [access_view(access) for access in await log.list(port, limit, before)]

    return routes
