"""The networks that the workstation's dashboard and API answer to: a check ahead of everything else there."""

from __future__ import annotations

from ipaddress import ip_address

from starlette.types import ASGIApp, Receive, Scope, Send

from homeportd.gateway import pages
from homeportd.gateway.answers import Answer, problem
from homeportd.networks import Address, Network, within

HEALTH = "/api/health"  # says that the agent serves, to everybody: `bin/site` and the doctor ask by Caddy
SETTING = "homeportd_admin_allow in the workstation's inventory"


def refusal(address: Address | None, *, page: bool) -> Answer:
    """The answer to an address that is in none of the networks."""
    client = str(address or "an address that nobody can read")
    if page:
        text = f"You come from {client}. Come from a network that {SETTING} names."
        return pages.message(403, "This dashboard is not for your address", text, None)
    return problem(403, f"this dashboard is not for {client}", f"come from a network that {SETTING} names")


class AdminNetworks:
    """An ASGI application ahead of `app`, for requests that Caddy passes on. `allow` empty: all addresses.

    This machine's own addresses are no exception: behind a proxy that nobody named they are everybody's.
    """

    def __init__(self, app: ASGIApp, allow: tuple[Network, ...]) -> None:
        self._app = app
        self._allow = allow

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request or WebSocket on, or refuse it."""
        if not self._allow or scope["path"] == HEALTH:
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        try:
            address: Address | None = ip_address(headers.get(b"x-homeport-client", b"").decode("latin-1"))
        except ValueError:
            address = None
        if address is not None and within(address, self._allow):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            answer = refusal(address, page=b"text/html" in headers.get(b"accept", b""))
            answer.add("content-length", str(len(answer.body)))
            await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
            await send({"type": "http.response.body", "body": answer.body})
