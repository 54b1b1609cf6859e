"""Logging in and out, tokens, the dashboard's password, and the hand-off of a login session to a port."""

from typing import Annotated, Literal
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from homeportd import clock
from homeportd.auth.codes import browser_of
from homeportd.auth.guard import Guard, arrived_at, client_address, login_session, session_cookie
from homeportd.auth.model import Caller, Kind, Scope, Token
from homeportd.auth.passwords import LONGEST, SHORTEST
from homeportd.auth.paths import local_path
from homeportd.auth.service import LOGIN_SESSION_DAYS, MAX_GRACE_S, Auth
from homeportd.http import NoBool, problems
from homeportd.origin import Origin

_NOTHING_ELSE = ConfigDict(extra="forbid")
_NAME = r"^[A-Za-z0-9][A-Za-z0-9 ._@:-]{0,63}$"  # of a token; it appears in logs and tables


class WhoAmI(BaseModel):
    """The caller as the agent knows it."""

    kind: Literal["session", "token", "peer"]
    name: str
    has_password: bool


class LoginBody(BaseModel):
    """The dashboard's password."""

    model_config = _NOTHING_ELSE
    password: str = Field(max_length=LONGEST)


class PasswordBody(BaseModel):
    """A new password for the dashboard."""

    model_config = _NOTHING_ELSE
    password: str = Field(min_length=SHORTEST, max_length=LONGEST)


class TokenBody(BaseModel):
    """A new token: its name, and whether it is for the whole API or for tunnels alone."""

    model_config = _NOTHING_ELSE
    name: str = Field(pattern=_NAME)
    scope: Literal["owner", "tunnel"] = "owner"


class RotateBody(BaseModel):
    """The seconds `grace_s` for which the old token still holds."""

    grace_s: Annotated[int, Field(ge=0, le=MAX_GRACE_S), NoBool] = 3600


class TokenView(BaseModel):
    """A token, without its secret."""

    id: str
    name: str
    prefix: str
    created_at: str
    last_used_at: str | None
    scope: Literal["owner", "tunnel"]
    lineage: str
    expires_at: str | None


class NewToken(TokenView):
    """A token with its secret, shown this once."""

    token: str


class LoginLink(BaseModel):
    """An address that logs a browser in, once."""

    url: str
    expires_at: str


def _view(token: Token) -> TokenView:
    return TokenView(
        id=token.id,
        name=token.name,
        prefix=token.prefix,
        created_at=clock.to_text(token.created_at),
        last_used_at=clock.to_text(token.last_used_at),
        scope=token.scope.value,
        lineage=token.lineage,
        expires_at=clock.to_text(token.expires_at),
    )


def router(auth: Auth, guard: Guard, dashboard: str, ports: Origin | None) -> APIRouter:
    """The routes of this room. `dashboard`: the origin where people log in; `ports` None: no ports are served here."""
    routes = APIRouter(tags=["access"])
    Owner = Annotated[Caller, Depends(guard)]

    def set_cookie(request: Request, response: Response, value: str) -> None:
        origin = arrived_at(request, dashboard)
        response.set_cookie(
            session_cookie(origin),
            value,
            max_age=LOGIN_SESSION_DAYS * 86400,
            path="/",
            secure=origin.startswith("https:"),
            httponly=True,
            samesite="lax",
        )

    @routes.get("/api/session", responses=problems(401))
    async def who_am_i(caller: Owner) -> WhoAmI:
        return WhoAmI(kind=caller.kind.value, name=caller.name, has_password=auth.has_password)

    @routes.post("/api/session", status_code=204, responses=problems(400, 401, 403, 413, 422, 429, 503))
    async def log_in(body: LoginBody, request: Request, response: Response) -> None:
        set_cookie(request, response, await auth.log_in(body.password, client_address(request)))

    @routes.delete("/api/session", status_code=204, responses=problems(401, 403, 503))
    async def log_out(caller: Owner, request: Request, response: Response) -> None:
        origin = arrived_at(request, dashboard)
        if caller.kind is Kind.LOGIN_SESSION:
            await auth.close_login_session(caller.name)
        response.delete_cookie(session_cookie(origin), secure=origin.startswith("https:"))

    @routes.put("/api/password", status_code=204, responses=problems(400, 401, 403, 413, 422, 503))
    async def set_password(caller: Owner, body: PasswordBody) -> None:
        await auth.set_password(body.password, caller.name if caller.kind is Kind.LOGIN_SESSION else None)

    @routes.post("/api/login-links", status_code=201, responses=problems(401, 403))
    async def make_login_link(_caller: Owner, request: Request) -> LoginLink:
        """A link to the origin that this was asked at; on the command line's socket, to the dashboard's."""
        code, expires_at = auth.make_login_code()
        return LoginLink(
            url=f"{arrived_at(request, dashboard)}/login/{code}", expires_at=clock.to_text(expires_at)
        )

    @routes.get("/api/tokens", responses=problems(401))
    async def list_tokens(_caller: Owner) -> list[TokenView]:
        return [_view(token) for token in auth.tokens()]

    @routes.post("/api/tokens", status_code=201, responses=problems(400, 401, 403, 409, 413, 422))
    async def create_token(_caller: Owner, body: TokenBody) -> NewToken:
        token, secret = await auth.create_token(body.name, Scope(body.scope))
        return NewToken(**_view(token).model_dump(), token=secret)

    @routes.delete("/api/tokens/{token_id}", status_code=204, responses=problems(401, 403, 404, 422, 503))
    async def revoke_token(_caller: Owner, token_id: str) -> None:
        await auth.revoke_token(token_id)

    @routes.post(
        "/api/tokens/{token_id}/rotate",
        status_code=201,
        responses=problems(400, 401, 403, 404, 409, 413, 422),
    )
    async def rotate_token(_caller: Owner, token_id: str, body: RotateBody) -> NewToken:
        """A token in place of this one; clients that are connected get it by themselves."""
        token, secret = await auth.rotate_token(token_id, body.grace_s)
        return NewToken(**_view(token).model_dump(), token=secret)

    @routes.get("/login/{code}", include_in_schema=False)
    async def redeem_login_link(code: str, request: Request) -> Response:
        # A used link leads to the login page too, which says how to get another.
        if not auth.redeem_login_code(code):
            return RedirectResponse("/?login=expired", 303)
        response = RedirectResponse("/", 303)
        set_cookie(request, response, await auth.open_login_session())
        return response

    if ports is None:
        return routes

    @routes.get("/hop", include_in_schema=False)
    async def old_address_of_handoff(request: Request) -> Response:
        return RedirectResponse(f"/handoff?{request.url.query}", 308)

    @routes.get("/handoff", include_in_schema=False)
    async def hand_off(
        request: Request,
        port: Annotated[int, Query(ge=0, le=65535)],  # 0: the editor, of homeportd.origin
        next: Annotated[str, Query(max_length=4096)] = "/",
        label: Annotated[str, Query(pattern="^[a-z0-9_-]{0,63}$")] = "",
    ) -> Response:
        session = login_session(auth, request, arrived_at(request, dashboard))
        if session is None:
            below = {"label": label} if label else {}
            here = f"/handoff?{urlencode({'port': port, **below, 'next': next})}"
            return RedirectResponse(f"/?next={quote(here, safe='')}", 303)
        browser = browser_of(client_address(request), request.headers.get("user-agent", ""))
        query = urlencode({"code": auth.make_handoff(session.id, port, browser), "next": local_path(next)})
        return RedirectResponse(f"{ports.of_port(port, label)}/.homeport/enter?{query}", 303)

    return routes
