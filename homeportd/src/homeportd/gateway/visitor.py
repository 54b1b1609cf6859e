"""Homeport's own pages at a port's origin, below /.homeport/: the password, the end of a hand-off, logging out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import parse_qs, quote

from homeportd.auth.codes import browser_of
from homeportd.auth.service import LOGIN_SESSION_DAYS
from homeportd.errors import Problem
from homeportd.gateway import pages
from homeportd.gateway.answers import Answer, problem, redirect
from homeportd.gateway.authenticator import OwnerProofs, PasswordProofs
from homeportd.gateway.cookies import (
    OWNER,
    OWNER_FOR_REPO,
    SHARE,
    SHARE_FOR_REPO,
    ShareCookies,
    names_in,
    setting,
    setting_for_repo,
)
from homeportd.gateway.request import AuthRequest, safe_next
from homeportd.origin import Origin
from homeportd.shares.model import Decision, Share

MAX_FORM = 8 * 1024  # bytes
MAX_FIELDS = 8
MAX_DELETED = 256  # cookies by name; more than browsers keep for a site
MAX_QUERY = 8 * 1024  # bytes
_FOR_REPO = {SHARE: SHARE_FOR_REPO, OWNER: OWNER_FOR_REPO}

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class AccessLog(Protocol):
    """What the gateway needs of `shares.access.AccessLog`."""

    def record(
        self, *, port: int, address: str, user_agent: str, method: str, path: str, decision: Decision
    ) -> None:
        """Add a row."""


def handoff_url(origins: Origin, request: AuthRequest, next_path: str) -> str:
    """The dashboard's address that hands the owner's login session off to a port, to go on at `next_path`."""
    label = f"&label={request.label}" if request.label else ""
    return f"{origins.dashboard}/handoff?port={request.port}{label}&next={quote(next_path, safe='/')}"


def is_own_origin(request: AuthRequest, origins: Origin) -> bool:
    """Whether the request has the port's own Origin. The client of a tunnel writes `http` for a name of the edge that
    stands for the port, whatever scheme the port has."""
    own = origins.of_port(request.port, request.label)
    return request.origin == own or (
        request.by_tunnel and request.origin == f"http://{own.partition('://')[2]}"
    )


class VisitorPages:
    """Answers requests below /.homeport/, which Caddy passes on whole."""

    def __init__(
        self,
        origins: Origin,
        shares: PasswordProofs,
        auth: OwnerProofs,
        log: AccessLog,
        cookies: ShareCookies,
        now: Callable[[], datetime],
    ) -> None:
        self._origins = origins
        self._secure = origins.scheme == "https"
        # To a browser `4173.localhost` and `4200.localhost` have no more in common than two domains.
        own = origins.host_of_port(1)
        self._ports_are_sites = own.endswith(".localhost") and own.count(".") == 1 and not self._secure
        self._shares = shares
        self._auth = auth
        self._log = log
        self._cookies = cookies
        self._now = now

    async def answer(  # noqa: PLR0911 - one a page
        self, request: AuthRequest, query: bytes, receive: Receive
    ) -> Answer:
        """The answer to one request. Raises Problem 503 when too many passwords are being checked."""
        match request.method, request.uri:
            case "POST", "/.homeport/password":
                return await self._password(request, receive)
            case "GET", "/.homeport/password":
                return redirect(303, "/")
            case "GET", "/.homeport/enter":
                return self._redeem_handoff(request, query)
            case "GET", "/.homeport/logout":
                return self._logout(request)
            case "GET", "/.homeport/cookies":
                return pages.delete_cookies()
            case "POST", "/.homeport/cookies":
                return self._delete_cookies(request)
        return pages.message(404, "Nothing here", "Homeport has no such page.", None)

    async def _password(self, request: AuthRequest, receive: Receive) -> Answer:
        if not self._from_own_page(request):
            fix = "open the page of this port and type the password there"
            return problem(403, "the form was sent from another site", fix)
        body = await _body(receive)
        if body is None:
            return problem(413, f"the form is larger than {MAX_FORM} bytes", "send the password alone")
        fields = _fields(body)
        next_path = safe_next(fields.get("next", "/"))
        try:
            decision = await self._shares.prove(request.port, fields.get("password", ""), request.address)
        except Problem as error:
            return pages.busy(error.detail)
        share = self._shares.get(request.port)
        if share is not None:
            self._log.record(
                port=request.port,
                address=request.client,
                user_agent=request.user_agent,
                method=request.method,
                path=request.uri,
                decision=decision,
            )
        return self._password_answer(request, decision, share, next_path)

    def _password_answer(
        self, request: AuthRequest, decision: Decision, share: Share | None, next_path: str
    ) -> Answer:
        owner_link = handoff_url(self._origins, request, next_path)
        match decision:
            case Decision.LOGIN if share is not None:
                value, lifetime = self._cookies.make(share, self._now())
                answer = redirect(303, next_path)
                return self._set(answer, request, SHARE, value, lifetime)
            case Decision.DENIED_PASSWORD:
                return pages.password(request.port, next_path, owner_link, wrong=True)
            case Decision.DENIED_LOGIN:
                # There is no password (any more): its page says how things are now.
                return redirect(303, next_path)
        wait_s = self._shares.wait_s(request.port, request.address)
        return pages.refusal(decision, request.port, request.client, wait_s, owner_link)

    def _from_own_page(self, request: AuthRequest) -> bool:
        """Whether no other site made the browser send the form, which could log a visitor in as somebody else."""
        if request.fetch_site:
            return request.fetch_site in ("same-origin", "none")
        return not request.origin or is_own_origin(request, self._origins)

    def _redeem_handoff(self, request: AuthRequest, query: bytes) -> Answer:
        fields = _fields(query) if len(query) <= MAX_QUERY else {}
        next_path = safe_next(fields.get("next", "/"))
        if request.fetch_mode not in ("", "navigate"):
            # A script of the origin asks, or its service worker: the owner's browser comes by a navigation.
            return problem(
                403, "the end of a hand-off is no page for scripts", "open the port from the dashboard"
            )
        browser = browser_of(request.address, request.user_agent)
        cookie = self._auth.redeem_handoff(fields.get("code", ""), request.port, browser)
        if cookie is None:
            return pages.link_used(handoff_url(self._origins, request, next_path))
        answer = redirect(303, next_path)
        return self._set(answer, request, OWNER, cookie, LOGIN_SESSION_DAYS * 24 * 3600)

    def _set(self, answer: Answer, request: AuthRequest, name: str, value: str, lifetime: int) -> Answer:
        """Give the browser a cookie, and one for pages of the repo's other ports where each port is a site."""
        answer.add("set-cookie", setting(name, value, self._secure, lifetime, self._domain(request)))
        if self._ports_are_sites and not request.by_tunnel:
            answer.add("set-cookie", setting_for_repo(_FOR_REPO[name], value, lifetime))
        return answer

    def _domain(self, request: AuthRequest) -> str:
        """The Domain of a cookie: the port's host where names below it lead to the same share; else none.

        By https cookies have the prefix __Host-, which allows no Domain: each name asks for itself.
        """
        share = self._shares.get(request.port)
        return (
            self._origins.host_of_port(request.port)
            if share is not None and share.subdomains and not self._secure
            else ""
        )

    def _delete_cookies(self, request: AuthRequest) -> Answer:
        """Delete every cookie that came: by Clear-Site-Data where browsers heed it, else those without a path."""
        if not self._from_own_page(request):
            fix = "open /.homeport/cookies at this port and delete them there"
            return problem(403, "the form was sent from another site", fix)
        answer = pages.cookies_deleted().add("clear-site-data", '"cookies"')
        host = self._origins.host_of_port(request.port)
        domains = ("", *(f"; Domain={parent}" for parent in _parents(host)))
        for name in names_in(request.cookie)[:MAX_DELETED]:
            secure = "; Secure" if self._secure or name.startswith(("__Host-", "__Secure-")) else ""
            for domain in domains:
                answer.add("set-cookie", f"{name}=; Path=/; Max-Age=0{domain}{secure}")
        return answer

    def _logout(self, request: AuthRequest) -> Answer:
        answer = pages.message(
            200,
            "Logged out",
            f"This browser is no longer let in at port {request.port}, and has forgotten what apps there stored in it.",
            None,
        )
        for name in (SHARE, OWNER):
            for domain in dict.fromkeys(("", self._domain(request))):
                answer.add("set-cookie", setting(name, "", self._secure, 0, domain))
            if self._ports_are_sites:
                answer.add("set-cookie", setting_for_repo(_FOR_REPO[name], "", 0))
        # Service workers and what they have kept, too: they would answer for the origin without asking anybody.
        return answer.add("clear-site-data", '"cache", "storage"')


def _parents(host: str) -> list[str]:
    """The host and the names above it, for which a neighbour can have set cookies, without the last label alone."""
    labels = host.split(".")
    return [".".join(labels[first:]) for first in range(max(1, len(labels) - 1))]


async def _body(receive: Receive) -> bytes | None:
    """The whole body, None when it is larger than MAX_FORM."""
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b""  # the visitor has left
        body += bytes(message.get("body", b""))
        if len(body) > MAX_FORM:
            return None
        if not message.get("more_body"):
            return body


def _fields(encoded: bytes) -> dict[str, str]:
    """The first value of each field of application/x-www-form-urlencoded; empty when it is not that."""
    try:
        parsed = parse_qs(
            encoded.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS
        )
    except ValueError:
        return {}
    return {name: values[0] for name, values in parsed.items()}
