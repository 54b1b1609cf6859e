"""The web server of an edge: its admin origin, passcodes of tunnels, and pages for names without a tunnel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.server import ServerState

from homeportd.auth.guard import ORIGIN_KEY
from homeportd.edge.error_page import document
from homeportd.edge.names import PORT_OF_WORKSTATION
from homeportd.edge.passcodes import MAX_FORM, Headers, Passcodes
from homeportd.edge.registry import Registry
from homeportd.edge.settings import EdgeSettings
from homeportd.edge.tunnel import Tunnel
from homeportd.errors import Problem
from homeportd.gateway.answers import problem
from homeportd.gateway.pages import PASSCODE_FORM
from homeportd.gateway.request import BadRequest
from homeportd.http import problem_response
from homeportd.http_protocol import LimitedProtocol
from homeportd.networks import parse_network, within
from homeportd.tunnels import protocol
from homeportd.tunnels.protocol import Kind
from homeportd.uvicorn_config import uvicorn_config
from homeportd.uvicorn_shutdown import STOP_S, ended

CLIENT: Final = b"x-homeport-client"
TUNNEL: Final = b"x-homeport-tunnel"  # set by the route of a name that has a passcode
FORWARDED_HOST: Final = b"x-forwarded-host"  # Traefik's word; it deletes the visitor's
OWN_PATHS: Final = "/.homeport/"
PASSCODE_CHECK: Final = "/.homeport/passcode/"  # Traefik's question about a request; the tunnel's id follows

# As Caddy adds on a workstation: the dashboard is never in a frame, and sends no referrer.
_SECURITY_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
)

_UNKNOWN = document(
    "There is no tunnel of this name",
    "It was never opened here, or its client has been away for too long. Ask the person who gave you the address.",
)

_OPENING = document(
    "This tunnel is being opened",
    "The way to it is there in a moment. The page tries again by itself.",
    refresh=True,
)


class EdgeWeb:
    """An ASGI application. `admin`: the dashboard and its API; `domain_tunnel`: the id of the tunnel of a domain."""

    def __init__(
        self,
        settings: EdgeSettings,
        registry: Registry,
        passcodes: Passcodes,
        admin: ASGIApp,
        domain_tunnel: Callable[[str], str | None],
    ) -> None:
        self._below = f".{settings.base}".encode()
        self._admin_host = settings.host_of("admin").encode()
        self._admin_origin = settings.admin
        self._admin_allow = tuple(map(parse_network, settings.admin_allow))
        self._registry = registry
        self._passcodes = passcodes
        self._admin = admin
        self._domain_tunnel = domain_tunnel

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or WebSocket."""
        headers = dict(scope["headers"])
        host = _host(headers, b"host")
        if host == self._admin_host:
            await self._answer_admin(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["path"].startswith(OWN_PATHS) and await self._answer_visitor(
            scope, headers, receive, send
        ):
            return
        elif scope["path"] == protocol.PATH:
            answer = problem_response(
                426, "clients connect here", "use homeport", {"Upgrade": protocol.UPGRADE}
            )
            await answer(scope, receive, send)
        elif self._tunnel_of(host) is not None:  # and Traefik has not read its route yet
            await self._page(503, _OPENING, send, (b"retry-after", b"1"))
        else:
            await self._page(404, _UNKNOWN, send)

    def _tunnel_of(self, host: bytes) -> Tunnel | None:
        """The tunnel that a host name, without a port, leads to."""
        if not host.endswith(self._below):
            return self._registry.get(self._domain_tunnel(host.decode("latin-1")) or "")
        above, _, name = host.removesuffix(self._below).decode("latin-1").rpartition(".")
        tunnel = self._registry.called(Kind.HTTP, name)
        port = PORT_OF_WORKSTATION.fullmatch(name) if tunnel is None and not above else None
        if port is not None:
            workstation = self._registry.called(Kind.HTTP, port[1])
            return workstation if workstation is not None and workstation.workstation else None
        return tunnel if tunnel is not None and (not above or tunnel.rules.subdomains) else None

    async def _answer_admin(self, scope: Scope, receive: Receive, send: Send) -> None:
        forwarded = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        client = b",".join(forwarded).rpartition(b",")[2].strip()
        kept = [(name, value) for name, value in scope["headers"] if not name.startswith(b"x-homeport-")]
        if client:
            kept.append((CLIENT, client))
        if not self._may_administer(client):
            await self._refuse(client, scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *_SECURITY_HEADERS]}
            await send(message)

        await self._admin({**scope, "headers": kept, ORIGIN_KEY: self._admin_origin}, receive, guarded)

    async def _refuse(self, client: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer that the address is not let in: a page for a browser, a problem for a program."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            who = str(ip_address(client.decode("latin-1")))
        except ValueError:
            who = "an address that nobody can read"
        networks = "homeportd_admin_allow in the edge's inventory"
        if b"text/html" in dict(scope["headers"]).get(b"accept", b""):
            text = f"You come from {who}. Come from a network that {networks} names."
            await self._page(403, document("This dashboard is not for your address", text), send)
            return
        answer = problem_response(
            403, f"this dashboard is not for {who}", f"come from a network that {networks} names"
        )
        await answer(scope, receive, send)

    def _may_administer(self, client: bytes) -> bool:
        # Without an address from Traefik it is a program on this machine: no other reaches `listen`.
        try:
            address = ip_address(client.decode("latin-1") or "127.0.0.1")
        except ValueError:
            return False
        return not self._admin_allow or within(address, self._admin_allow)

    async def _answer_visitor(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> bool:
        """Answer Traefik's question about a passcode, or the form with one; False when the request is neither.

        Either is about the tunnel whose name the visitor asked for, and no other: a name without a passcode leads here
        as well, and must not be a way to try those of others.
        """
        asked, path = scope["path"].startswith(PASSCODE_CHECK), scope["path"]
        id_ = path[len(PASSCODE_CHECK) :] if asked else headers.get(TUNNEL, b"").decode("latin-1")
        if not (asked or (scope["method"], path) == ("POST", PASSCODE_FORM)):
            return False
        tunnel = self._tunnel_of(_host(headers, FORWARDED_HOST if asked else b"host"))
        if tunnel is None or tunnel.id != id_:
            return False
        try:
            if asked:
                answer = await self._passcodes.decide(tunnel, headers)
            else:
                form = await _body(receive)
                answer = await self._passcodes.enter(tunnel, headers, form)
        except BadRequest as error:
            answer = problem(error.status, error.detail, "come through the edge's Traefik")
        except Problem as error:
            answer = problem(error.status, error.detail, error.fix).add("retry-after", "5")
        answer.headers.append((b"content-length", b"%d" % len(answer.body)))
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})
        return True

    async def _page(self, status: int, body: bytes, send: Send, *more: tuple[bytes, bytes]) -> None:
        headers = [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            *more,
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _host(headers: Headers, name: bytes) -> bytes:
    return headers.get(name, b"").lower().partition(b":")[0]


async def _body(receive: Receive) -> bytes:
    """The whole body; empty when it is larger than MAX_FORM, or the visitor has left."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b""
        body += bytes(message.get("body", b""))
        if len(body) > MAX_FORM:
            return b""
        if not message.get("more_body"):
            return body


class HttpProtocols:
    """Makes uvicorn's protocol for connections that another listener accepted."""

    def __init__(self, app: Any) -> None:
        self._config = uvicorn_config(app, part=1 / 8, client_header=b"x-forwarded-for")
        self._config.load()
        self._state = ServerState()

    def __call__(self) -> asyncio.Protocol:
        """A protocol for a new connection."""
        made: asyncio.Protocol = LimitedProtocol(self._config, self._state, {})
        return made

    def stop(self) -> None:
        """Let every connection end with the response that is under way."""
        for connection in list(self._state.connections):
            connection.shutdown()

    async def close(self) -> None:
        """Wait for STOP_S at most until connections have ended after `stop`, then cut them."""
        await ended(self._state, STOP_S)
