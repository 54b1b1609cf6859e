"""The decision point: Caddy asks here about every request for a port. Raw ASGI, for speed; memory only.

docs/gateway.md tells how a request travels. Four doors, named by Caddy in X-Homeport-Door: `port` and `api`
are questions about a request, `visitor` is a request for our own pages at a port's origin, `silent` asks for
a page because the dev server did not answer.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import datetime
from typing import Any, Protocol

from homeportd import clock
from homeportd.errors import Problem
from homeportd.gateway import pages
from homeportd.gateway.answers import Answer, problem, redirect
from homeportd.gateway.authenticator import Authenticator, AuthResult, OwnerProofs, PasswordProofs
from homeportd.gateway.cookies import ShareCookies
from homeportd.gateway.request import AuthRequest, BadRequest, read, safe_next
from homeportd.gateway.visitor import Log, VisitorPages, handoff_url
from homeportd.ports.model import Port
from homeportd.settings import Origin, Outside
from homeportd.shares.model import Decision

# How a request goes on that is let in; Caddy knows these three.
AS_IT_IS = 200
WITHOUT_COOKIES = 203
CHANGED = 207  # Cookie, Authorization and Origin are to be as the answer has them
QUESTIONS = ("port", "api")
RELAYED_BODY = 1024 * 1024  # bytes; a larger upload is never sent by the relay

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_log = logging.getLogger(__name__)


class Ports(Protocol):
    """What the gateway needs of the ports."""

    def get(self, port: int) -> Port | None:
        """The port, while something listens on it."""

    def outside(self, port: int) -> Outside | None:
        """Why nothing that listens there is ever seen."""


class Gateway:
    """An ASGI application; `key` signs the visitors' cookies."""

    def __init__(
        self,
        origins: Origin,
        ports: Ports,
        shares: PasswordProofs,
        auth: OwnerProofs,
        log: Log,
        key: bytes,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        secure = origins.scheme == "https"
        cookies = ShareCookies(key)
        self._origins = origins
        self._ports = ports
        self._shares = shares
        self._log = log
        self._judge = Authenticator(shares, auth, cookies, secure, now)
        self._visitor = VisitorPages(origins, shares, auth, log, cookies, now)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; whatever goes wrong, the door stays shut and nothing of it is told."""
        if scope["type"] != "http":
            return
        try:
            answer = await self._answer(scope, receive)
        except Exception as error:
            answer = _failure(error)
        answer.headers.append((b"content-length", b"%d" % len(answer.body)))
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        await send({"type": "http.response.body", "body": answer.body})

    def at_once(self, headers: list[tuple[bytes, bytes]]) -> Answer | None:
        """The answer to a question that memory can answer, else None: then it is asked as ASGI asks.

        This is the hot path: no task, no message passing (gateway/fast_path.py).
        """
        try:
            ask = read(headers)
            finding = self._judge.at_once(ask) if ask.door in QUESTIONS else None
            return None if finding is None else self._verdict(ask, finding)
        except Exception as error:
            return _failure(error)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        ask = read(scope["headers"])
        match ask.door:
            case "port" | "api":
                return self._verdict(ask, await self._judge.judge(ask))
            case "visitor":
                ask.method = scope["method"]
                ask.uri = scope["path"]
                return await self._visitor.answer(ask, scope["query_string"], receive)
            case "silent":
                return self._silent(ask)
            case _:
                raise BadRequest(400, "the door is missing")

    def _verdict(self, ask: AuthRequest, finding: AuthResult) -> Answer:
        decision = finding.decision
        # What strangers try at ports that nobody shares would only fill the log.
        if finding.share is not None or decision.allowed:
            self._log.record(
                port=ask.port,
                address=ask.client,
                user_agent=ask.agent,
                method=ask.method,
                path=ask.uri,
                decision=decision,
            )
        return self._let_in(ask, finding) if decision.allowed else self._turn_away(ask, decision)

    def _let_in(self, ask: AuthRequest, finding: AuthResult) -> Answer:
        port = self._ports.get(ask.port)
        if port is None:
            return self._nobody(ask)
        lane = b"relay" if endless(ask) else b"direct"
        headers = [
            (b"x-homeport-upstream", port.upstream.encode()),
            (b"x-homeport-lane", lane),
            (b"x-homeport-grant", finding.right.encode()),
        ]
        # A foreign origin goes through as it is: the dev server's own checks need it.
        at_home = ask.origin == self._origins.of_port(ask.port)
        if not at_home and not (ask.authorization and finding.ours):
            if finding.cookie == ask.cookie:
                return Answer(AS_IT_IS, headers)
            if not finding.cookie:
                return Answer(WITHOUT_COOKIES, headers)
        if finding.cookie:
            headers.append((b"cookie", finding.cookie))
        if ask.authorization and not finding.ours:
            headers.append((b"authorization", ask.authorization.encode("latin-1")))
        if ask.origin:
            origin = f"http://localhost:{ask.port}" if at_home else ask.origin
            headers.append((b"origin", origin.encode("latin-1")))
        return Answer(CHANGED, headers)

    def _nobody(self, ask: AuthRequest) -> Answer:
        """The visitor may come in, and nothing listens there that we see."""
        missing = 404 if ask.door == "api" else 502  # to the API, a thing that is not there
        if self._ports.outside(ask.port):
            fix = "add it to homeport_port_ranges in the inventory and run bin/site"
            return (
                pages.outside(ask.port)
                if ask.page
                else problem(missing, f"port {ask.port} is not served", fix)
            )
        if ask.page:
            return pages.not_listening(ask.port)
        return problem(
            missing,
            f"nothing listens on {ask.port} yet",
            f"start a server on port {ask.port}, then ask again",
        )

    def _turn_away(self, ask: AuthRequest, decision: Decision) -> Answer:
        if ask.page:
            next_path = safe_next(ask.uri)
            owner_link = handoff_url(self._origins, ask.port, next_path)
            match decision:
                case Decision.DENIED_LOGIN:
                    return redirect(302, owner_link)
                case Decision.DENIED_PASSWORD:
                    return pages.password(ask.port, next_path, owner_link)
            return pages.refusal(decision, ask.client, self._shares.wait_s(ask.port, ask.address), owner_link)
        return refuse(ask, decision, self._shares.wait_s(ask.port, ask.address))

    def _silent(self, ask: AuthRequest) -> Answer:
        if ask.page:
            return pages.silent(ask.port)
        return problem(
            502, f"the server on port {ask.port} does not answer", "see whether it still runs: homeport list"
        )


def _failure(error: Exception) -> Answer:
    match error:
        case BadRequest():
            return problem(error.status, str(error), "send an ordinary request through Homeport's front door")
        case Problem():
            return problem(error.status, error.detail, error.fix).add("retry-after", "5")
    _log.error("a decision failed", exc_info=error)
    return problem(503, "Homeport could not decide", "try again; its log on the machine says more")


def endless(ask: AuthRequest) -> bool:
    """Whether the answer may have no end, so that it must pass where it can be ended when the share does.

    Upgrades, and whatever asks for an event stream. A small request with a body may be answered by one
    unasked (chat interfaces do so); it cannot be repeated as a GET can, so that it takes the relay from the start.
    """
    if ask.method == "GET":
        return bool(ask.upgrade) or "text/event-stream" in ask.accept
    if ask.method in ("HEAD", "OPTIONS") or not _small(ask):
        return False
    return "text/event-stream" in ask.accept or (ask.fetch_mode != "navigate" and ask.accept in ("", "*/*"))


def _small(ask: AuthRequest) -> bool:
    return (
        ask.length.isascii()
        and ask.length.isdigit()
        and len(ask.length) <= 7
        and int(ask.length) <= RELAYED_BODY
    )


def refuse(ask: AuthRequest, decision: Decision, wait_s: float) -> Answer:
    """A denial for programs: what it was and what to do."""
    match decision:
        case Decision.DENIED_PASSWORD:
            answer = problem(
                401, f"port {ask.port} is shared with a password", "send it as HTTP Basic: curl -u :PASSWORD"
            )
            # A browser would cover the page with a dialog of its own.
            return (
                answer
                if ask.browser
                else answer.add("www-authenticate", 'Basic realm="Homeport", charset="UTF-8"')
            )
        case Decision.DENIED_LIMIT:
            answer = problem(
                429, "too many wrong passwords from this address", "wait, and ask for the right password"
            )
            return answer.add("retry-after", str(max(1, int(wait_s))))
        case Decision.DENIED_EXPIRED:
            return problem(410, "this share has ended", "ask the person who shared it to share it again")
        case Decision.DENIED_NETWORK:
            return problem(
                403, f"{ask.client} is in no network that this is shared with", "ask its owner to add it"
            )
        case Decision.DENIED_USES:
            return problem(403, "the password was used as often as it may be", "ask its owner for a new one")
    fix = "log in to the dashboard in this browser, or send a token (homeport token create) as Bearer"
    return problem(401, f"port {ask.port} is private", fix).add("www-authenticate", 'Bearer realm="Homeport"')
