"""The guard of the API's routes: names the caller, or refuses the request."""

from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.requests import HTTPConnection

from homeportd.auth.cookies import values_of
from homeportd.auth.current import enter
from homeportd.auth.model import Caller, Kind, LoginSession
from homeportd.auth.peer_protocol import SCOPE_KEY, trusted
from homeportd.auth.service import Auth
from homeportd.errors import Problem

Guard = Callable[[HTTPConnection], Awaitable[Caller]]

ORIGIN_KEY = "homeport.origin"
"""Key of an ASGI scope: the edge's own origin of the dashboard, where a request came to that one."""

_SAFE = ("GET", "HEAD", "OPTIONS")


def session_cookie(origin: str) -> str:
    """The name of the dashboard's cookie at this origin; with https, one that no sibling origin can set."""
    return "__Host-homeport_session" if origin.startswith("https:") else "homeport_session"


def arrived_at(connection: HTTPConnection, dashboard: str) -> str:
    """The origin that a request was sent to, as the listener noted it: a Host header proves nothing."""
    return str(connection.scope.get(ORIGIN_KEY, dashboard))


def client_address(connection: HTTPConnection) -> IPv4Address | IPv6Address | None:
    """The visitor's address as Caddy saw it; None on the command line's socket."""
    try:
        return ip_address(connection.headers.get("x-homeport-client", ""))
    except ValueError:
        return None


def login_session(auth: Auth, connection: HTTPConnection, origin: str) -> LoginSession | None:
    """The login session that a request to this origin brings, whatever else there is under its cookie's name."""
    values = values_of(connection.headers.getlist("cookie"), session_cookie(origin))
    return next((session for value in values if (session := auth.login_session(value)) is not None), None)


def guard(auth: Auth, dashboard: str) -> Guard:
    """A FastAPI dependency that returns the caller, or raises Problem 401 or 403.

    `dashboard` is the origin of a request whose scope names no other.
    """

    def same_site(connection: HTTPConnection, origin: str) -> bool:
        # A browser names the page that sends: without this check a dev server on a sibling name
        # could use the owner's cookie. A client that is no browser sends neither header.
        sender = connection.headers.get("origin")
        relation = connection.headers.get("sec-fetch-site")
        return sender in (None, origin) and relation in (None, "same-origin", "none")

    async def caller(connection: HTTPConnection) -> Caller:
        uid = connection.scope.get(SCOPE_KEY)
        if trusted(uid):
            return enter(Caller(Kind.PEER, str(uid)))
        scheme, _, secret = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            token = auth.token(secret.strip())
            if token is None:
                raise Problem(
                    401,
                    "the token is unknown, revoked or for tunnels alone",
                    "make one with homeport token create NAME",
                )
            return enter(Caller(Kind.TOKEN, token.id))
        origin = arrived_at(connection, dashboard)
        session = login_session(auth, connection, origin)
        if session is None:
            raise Problem(
                401, "you are not logged in", "run homeport login-link on the machine and open its address"
            )
        method = connection.scope.get("method", "WEBSOCKET")
        if method not in _SAFE and not same_site(connection, origin):
            raise Problem(403, "this request comes from another site", f"send it from {origin}")
        return enter(Caller(Kind.LOGIN_SESSION, session.id))

    return caller


def alive(auth: Auth, caller: Caller) -> bool:
    """Whether what proved this caller still holds."""
    if caller.kind is Kind.LOGIN_SESSION:
        return auth.login_session_alive(caller.name)
    return caller.kind is Kind.PEER or auth.token_alive(caller.name)
