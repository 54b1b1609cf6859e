"""The policy decision point: Caddy asks here about every request for a port. Raw ASGI, for speed; memory only.

docs/gateway.md tells how a request travels. Caddy names four kinds in X-Homeport-Kind: `port` and `api` are
questions about a request, `visitor` is a request for a page of ours at a port's origin, `silent` asks for a page
because the dev server did not answer.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from datetime import datetime
from typing import Any, Protocol

from homeportd import clock
from homeportd.cautions import caution
from homeportd.errors import Problem
from homeportd.gateway import editor, pages
from homeportd.gateway.admin_networks import refusal
from homeportd.gateway.answers import Answer, Headers, problem, redirect
from homeportd.gateway.authenticator import Authenticator, AuthResult, OwnerProofs, PasswordProofs
from homeportd.gateway.cookies import ShareCookies
from homeportd.gateway.denials import denial, denial_to_repo
from homeportd.gateway.initiator import Initiator, initiator_of
from homeportd.gateway.origin_mapping import OriginMap, OriginMaps
from homeportd.gateway.permission import permission
from homeportd.gateway.preflight import preflight
from homeportd.gateway.request import (
    AuthRequest,
    BadRequest,
    is_grpc,
    is_small,
    may_be_endless,
    parse_request,
    safe_next,
)
from homeportd.gateway.visitor import AccessLog, VisitorPages, handoff_url
from homeportd.networks import Network, within
from homeportd.origin import EDITOR, Origin
from homeportd.ports.model import Port, Program
from homeportd.ports.protocols import Protocol as Spoken
from homeportd.ports.protocols import Protocols
from homeportd.ports.settings import Outside
from homeportd.ports.target import target
from homeportd.shares.model import Decision

QUESTION_KINDS = ("port", "api")
MAX_COOKIES = 32 * 1024  # bytes for a dev server; most take 16 KiB or less
OWNERS = (Decision.OWNER, Decision.TOKEN)
BODILESS = ("GET", "HEAD", "OPTIONS", "DELETE")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_log = logging.getLogger(__name__)


class Ports(Protocol):
    """What the gateway needs of the ports."""

    def get(self, port: int) -> Port | None:
        """The port, while something listens on it."""

    def outside(self, port: int) -> Outside | None:
        """Why a listener on this port is never shown; None where it is."""

    def snapshot(self) -> Mapping[int, Port]:
        """All ports by number; another object after each change."""

    def reaches(self, program: Program) -> bool:
        """Whether a connection to a program's address would reach it now."""

    async def look_again(self) -> None:
        """Scan now: a program is not where it was."""


class Gateway:
    """An ASGI application; `key` signs the visitors' cookies.

    `admin_allow`: the networks that the API, and the editor, answer to. `at_edge`: the dashboard is at a name of the
    edge. `editor`: None where none is installed.
    `wake` starts the server that keeps a port, if it was stopped since nobody used it; whether one is starting.
    """

    def __init__(
        self,
        origins: Origin,
        ports: Ports,
        shares: PasswordProofs,
        auth: OwnerProofs,
        log: AccessLog,
        key: bytes,
        protocols: Protocols,
        now: Callable[[], datetime] = clock.now,
        *,
        admin_allow: tuple[Network, ...] = (),
        at_edge: bool = False,
        wake: Callable[[int], bool] = lambda _port: False,
        editor: editor.Editor | None = None,
    ) -> None:
        secure = origins.scheme == "https"
        cookies = ShareCookies(key)
        self._origins = origins
        self._at_edge = at_edge
        self._wake = wake
        self._editor = editor
        self._ports = ports
        self._protocols = protocols
        self._shares = shares
        self._log = log
        self._admin_allow = admin_allow
        self._maps = OriginMaps(origins, ports, shares.get, protocols)
        self._authenticator = Authenticator(shares, auth, cookies, self._maps, secure, now)
        self._visitor = VisitorPages(origins, shares, auth, log, cookies, now)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Whatever goes wrong, access is refused, and the answer has no word of what it was."""
        if scope["type"] != "http":
            return
        try:
            answer = await self._answer(scope, receive)
        except Exception as error:
            answer = _failure(error)
        answer.headers.append((b"content-length", b"%d" % len(answer.body)))
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})

    def answer_from_memory(self, headers: list[tuple[bytes, bytes]]) -> Answer | None:
        """The answer to a question, from memory; None when `__call__` has to be awaited instead.

        This is the hot path: no task, no message passing (gateway/fast_path.py).
        """
        try:
            request = parse_request(headers)
            result = self._authenticator.from_memory(request) if request.kind in QUESTION_KINDS else None
            if result is None:
                return None
            if request.port == EDITOR:
                return self._to_editor(request, result)
            program = self._program(request, result)
            if not self._is_known(request, program) or not self._is_current(request, result, program):
                return None
            return self._respond(request, result, program)
        except Exception as error:
            return _failure(error)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        request = parse_request(scope["headers"])
        match request.kind:
            case "port" | "api":
                return await self._decide(request)
            case "visitor":
                request.method = scope["method"]
                request.uri = scope["path"]
                if not self._has_name(request):
                    return self._no_such_name(request)
                return await self._visitor.answer(request, scope["query_string"], receive)
            case "silent":
                return self._no_answer(request)
            case _:
                raise BadRequest(400, "the kind of the request is missing")

    async def _decide(self, request: AuthRequest) -> Answer:
        result = await self._authenticator.authenticate(request)
        if request.port == EDITOR:
            return self._to_editor(request, result)
        program = self._program(request, result)
        if not self._is_current(request, result, program):
            # It has restarted, or something else is there since the last scan.
            await self._ports.look_again()
            result = await self._authenticator.authenticate(request)
            program = self._program(request, result)
            if program is not None and not self._ports.reaches(program):
                program = None
        if program is not None and not self._is_known(request, program):
            await self._protocols.try_h2c(program)
        return self._respond(request, result, program)

    def _to_editor(self, request: AuthRequest, result: AuthResult) -> Answer:
        if self._admin_allow and not within(request.address, self._admin_allow):
            return refusal(request.address, page=request.wants_page)
        if not result.decision.allowed:
            return self._deny(request, result.decision)
        return editor.answer(request, result, self._editor)

    def _is_current(self, request: AuthRequest, result: AuthResult, program: Program | None) -> bool:
        """Whether the last scan still holds for a request, and was complete."""
        if program is None:
            return not result.decision.allowed or self._ports.get(request.port) is None
        return self._ports.reaches(program)

    def _is_known(self, request: AuthRequest, program: Program | None) -> bool:
        """Whether it is known that a program takes a request by HTTP/2, where that is what it needs."""
        return program is None or not is_grpc(request) or self._protocols.h2c(program) is not None

    def _program(self, request: AuthRequest, result: AuthResult) -> Program | None:
        """The program that an allowed request is for; None while there is none."""
        port = self._ports.get(request.port) if result.decision.allowed else None
        return None if port is None else target(port, result.share, owner=result.decision in OWNERS)

    def _respond(self, request: AuthRequest, result: AuthResult, program: Program | None) -> Answer:
        if request.kind == "api" and self._admin_allow and not within(request.address, self._admin_allow):
            return refusal(request.address, page=False)
        if not self._has_name(request):
            return self._no_such_name(request)
        decision = result.decision
        if request.by_tunnel:
            self._shares.retire_tunnel_source(request.port)
        if request.method == "OPTIONS" and not decision.allowed and request.requested_method:
            permitted = preflight(request, self._maps.of(request.port), self._maps.visited(request))
            if permitted is not None:
                return permitted
        # What strangers try at ports that nobody shares would only fill the log.
        if result.share is not None or decision.allowed or decision is Decision.DENIED_ORIGIN:
            self._log.record(
                port=request.port,
                address=request.client,
                user_agent=request.user_agent,
                method=request.method,
                path=request.uri,
                decision=decision,
            )
        return self._allow(request, result, program) if decision.allowed else self._deny(request, decision)

    def _allow(self, request: AuthRequest, result: AuthResult, program: Program | None) -> Answer:
        if len(result.cookie) > MAX_COOKIES:
            return self._too_many_cookies(request, len(result.cookie))
        if program is None:
            return self._not_listening(request)
        spoken, lane = self._way(request, program)
        headers = [
            (b"x-homeport-scheme", spoken.encode()),
            (b"x-homeport-upstream", program.upstream.encode()),
            (b"x-homeport-lane", lane),
            (b"x-homeport-grant", result.right.encode()),
        ]
        mapping = self._maps.of(request.port, request.label)
        headers += mapping.same_repo
        told = self._told(request, result, mapping)
        origin = mapping.origin(request.origin, self._maps.visited(request)) if request.origin else ""
        return permission(request, result, headers, origin, told)

    def _told(self, request: AuthRequest, result: AuthResult, mapping: OriginMap) -> Headers:
        """What Caddy has to be told of origins, beside what the Caddyfile does by itself: mostly nothing."""
        told: Headers = []
        if result.initiator is Initiator.SAME_REPO and request.origin:
            # Only a request with credentials carries the cookie that let this one in.
            told.append((b"x-homeport-credentials", request.origin.encode("latin-1")))
        if referer := request.referer:
            visited = self._maps.visited(request)
            mapped = mapping.url(_without_proxy_path(request), visited)
            by_caddy = mapping.usual and request.kind == "port" and referer.startswith(mapping.public + "/")
            if not by_caddy and (mapped != referer or not mapping.usual):
                told.append((b"referer", mapped.encode("latin-1")))
        return [*told, *mapping.headers] if told or not mapping.usual else told

    def _way(self, request: AuthRequest, program: Program) -> tuple[Spoken, bytes]:
        """(What to speak to a program, and the lane.) The relay finds out what one of unknown protocol speaks."""
        spoken = self._protocols.of(program)
        if spoken is Spoken.H2C or (is_grpc(request) and self._protocols.h2c(program)):
            return Spoken.H2C, b"direct"
        unknown = spoken in (None, Spoken.OTHER) and (request.method in BODILESS or is_small(request))
        lane = b"relay" if unknown or may_be_endless(request) else b"direct"
        return Spoken.HTTPS if spoken is Spoken.HTTPS else Spoken.HTTP, lane

    def _has_name(self, request: AuthRequest) -> bool:
        """Whether the name of a request leads to its port: the port's own, or one below where its share says so."""
        share = self._shares.get(request.port) if request.label else None
        return not request.label or (share is not None and share.subdomains)

    def _no_such_name(self, request: AuthRequest) -> Answer:
        """The answer at a name below that of a port which has none, to the owner as well."""
        fix = f"for names below that of the port, its owner says: homeport share {request.port} --subdomains"
        if request.wants_page:
            return pages.message(421, "Nothing is served under this name", f"{fix[0].upper()}{fix[1:]}", None)
        return problem(421, "nothing is served under this name", fix)

    def _too_many_cookies(self, request: AuthRequest, size: int) -> Answer:
        """The answer to a browser with more cookies than a server takes: no proof is lost, and there is a way out."""
        if request.wants_page:
            return pages.too_many_cookies(size)
        fix = f"open {self._origins.of_port(request.port, request.label)}/.homeport/cookies and delete them"
        return problem(431, f"the cookies of this site are {size} bytes", fix)

    def _not_listening(self, request: AuthRequest) -> Answer:
        """The answer to a visitor who is allowed, while no listener is known on the port."""
        missing = 404 if request.kind == "api" else 502  # to the API, a thing that is not there
        if self._ports.outside(request.port):
            fix = "add it to homeport_port_ranges in the inventory and run bin/site"
            return (
                pages.outside(request.port)
                if request.wants_page
                else problem(missing, f"port {request.port} is not served", fix)
            )
        if self._wake(request.port):
            if request.wants_page:
                return pages.starting(request.port)
            starting = f"the server on port {request.port} is starting"
            return problem(503, starting, "ask again in a few seconds").add("retry-after", "2")
        if request.wants_page:
            return pages.not_listening(request.port)
        return problem(
            missing,
            f"nothing listens on {request.port} yet",
            f"start a server on port {request.port}, then ask again",
        )

    def _deny(self, request: AuthRequest, decision: Decision) -> Answer:
        if request.wants_page:
            next_path = safe_next(request.uri)
            owner_link = handoff_url(self._origins, request, next_path)
            match decision:
                case Decision.DENIED_LOGIN if request.by_tunnel and not self._at_edge:
                    return pages.private(owner_link)  # the dashboard is at no name of the edge
                case Decision.DENIED_LOGIN:
                    return redirect(302, owner_link)
                case Decision.DENIED_PASSWORD:
                    return pages.password(request.port, next_path, owner_link)
            wait_s = self._shares.wait_s(request.port, request.address)
            return pages.refusal(decision, request.port, request.client, wait_s, owner_link)
        by_right = decision in (Decision.DENIED_LOGIN, Decision.DENIED_PASSWORD) and request.kind == "port"
        if (
            by_right
            and request.origin
            and request.method != "OPTIONS"
            and initiator_of(request, self._maps) is Initiator.SAME_REPO
        ):
            return denial_to_repo(request, self._origins.of_port(request.port))
        return denial(request, decision, self._shares.wait_s(request.port, request.address))

    def _no_answer(self, request: AuthRequest) -> Answer:  # noqa: PLR0911 - one a reason
        if request.port == EDITOR:
            return editor.silent(request)
        port = self._ports.get(request.port)
        programs = port.programs if port is not None else ()
        found = {self._protocols.of(one) for one in programs}
        # PostgreSQL says nothing to what is not its own protocol; but its program is known.
        known = [caution(request.port, one.owner.argv if one.owner else ()) for one in programs]
        if Spoken.OTHER in found or any(each is not None and each.kind == "not-http" for each in known):
            if request.wants_page:
                return pages.no_http(request.port)
            detail = f"the server on port {request.port} speaks something else than HTTP"
            return problem(502, detail, f"homeport tcp {request.port}")
        if Spoken.H2C in found:
            if request.wants_page:
                return pages.no_answer_by_h2c(request.port)
            detail = f"the server on port {request.port} speaks HTTP/2 in clear, and gave no answer"
            return problem(502, detail, "ask again by HTTP/2, as gRPC does")
        if request.wants_page:
            return pages.silent(request.port)
        return problem(
            502,
            f"the server on port {request.port} does not answer",
            "see whether it still runs: homeport list",
        )


def _without_proxy_path(request: AuthRequest) -> str:
    """The Referer, without the path that /api/proxy has before the dev server's own."""
    return (
        request.referer.replace(f"/api/proxy/{request.port}", "", 1)
        if request.kind == "api"
        else request.referer
    )


def _failure(error: Exception) -> Answer:
    match error:
        case BadRequest():
            return problem(error.status, error.detail, error.fix)
        case Problem():
            return problem(error.status, error.detail, error.fix).add("retry-after", "5")
    _log.error("a decision failed", exc_info=error)
    return problem(503, "Homeport could not decide", "try again; its log on the machine says more")
