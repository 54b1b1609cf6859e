"""The routes of shares and of their access log."""

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field, StrictBool, WithJsonSchema, model_validator

from homeportd.auth.guard import Guard
from homeportd.auth.passwords import LONGEST
from homeportd.errors import not_found
from homeportd.http import NetworkText, NoBool, problems
from homeportd.networks import MAX_NETWORKS
from homeportd.origin import Origin
from homeportd.shares import host_header
from homeportd.shares.access import AccessLog
from homeportd.shares.model import LOCALHOST, Mode
from homeportd.shares.service import MAX_USES, ShareRequest, Shares
from homeportd.shares.view import AccessView, ShareView, access_view, share_view

PortNumber = Annotated[int, Path(ge=1, le=65535)]


# What the schema can say of an expiry and a network, so that a client finds most mistakes by itself.
_SPAN = r"^([1-9][0-9]{0,3} ?[mhdwMHDW]|never)$"

Expires = Annotated[
    str | None,
    Field(description="30m, 24h, 7d, 2w, a date (its end, UTC), a moment, or never"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": _SPAN},
                {"type": "string", "format": "date"},
                {"type": "string", "format": "date-time"},
                {"type": "null"},
            ]
        }
    ),
]
HostHeader = Annotated[
    str,
    Field(
        max_length=host_header.MAX_LENGTH,
        pattern=host_header.PATTERN,
        description="the Host that the dev server sees: localhost (with its port), keep (the public name), or a name",
    ),
]
Subdomains = Annotated[
    StrictBool,
    Field(
        description="whether names one label below the port's own, such as foo.4210.localhost, lead here too"
    ),
]
Allowed = Annotated[list[NetworkText], Field(max_length=MAX_NETWORKS)]


class _ShareBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    expires: Expires = None
    allow: Allowed = []
    host_header: HostHeader = LOCALHOST
    subdomains: Subdomains = False


class OpenShareBody(_ShareBody):
    """A private share, for the owner alone, or a public one."""

    mode: Literal["private", "public"]

    @model_validator(mode="before")
    @classmethod
    def _drop_null(cls, body: object) -> object:
        # Clients may send every field; what the other mode alone has must then be null.
        if not isinstance(body, dict):
            return body
        alone = {"password", "max_uses"}
        return {name: value for name, value in body.items() if name not in alone or value is not None}


class PasswordShareBody(_ShareBody):
    """A share with a password; without one the share keeps the password that it has."""

    mode: Literal["password"]
    password: Annotated[str, Field(min_length=1, max_length=LONGEST)] | None = None
    max_uses: Annotated[int, Field(ge=1, le=MAX_USES), NoBool] | None = None


ShareBody = Annotated[
    OpenShareBody | PasswordShareBody,
    Body(
        discriminator="mode",
        openapi_examples={
            "password": {"value": {"mode": "password", "password": "correct horse", "expires": "24h"}},
            "public": {"value": {"mode": "public", "expires": "never", "allow": ["203.0.113.0/24"]}},
        },
    ),
]


def router(shares: Shares, log: AccessLog, guard: Guard, origin: Origin) -> APIRouter:
    """The routes of this room."""
    routes = APIRouter(prefix="/api/ports/{port}", tags=["shares"], dependencies=[Depends(guard)])

    @routes.get("/share", responses=problems(401, 404, 422))
    async def read_share(port: PortNumber) -> ShareView:
        share = shares.get(port)
        if share is None:
            raise not_found(f"a share of port {port}", "the port is private; POST here to share it")
        return share_view(port, share, origin)

    @routes.post("/share", responses=problems(400, 401, 403, 409, 413, 422, 503))
    async def set_share(port: PortNumber, body: ShareBody) -> ShareView:
        secret = (body.password, body.max_uses) if isinstance(body, PasswordShareBody) else (None, None)
        mode, allow = Mode(body.mode), tuple(body.allow)
        request = ShareRequest(
            mode, secret[0], body.expires, allow, secret[1], body.host_header, body.subdomains
        )
        return share_view(port, await shares.set(port, request), origin)

    @routes.delete("/share", status_code=204, responses=problems(401, 403, 404, 422, 503))
    async def remove_share(port: PortNumber) -> None:
        await shares.remove(port)

    @routes.get("/logs", responses=problems(401, 422))
    async def read_log(
        port: PortNumber,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        before: Annotated[int, Query(ge=0, le=2**63 - 1)] | None = None,
    ) -> list[AccessView]:
        return [access_view(access) for access in await log.newest(port, limit, before)]

    return routes
