"""Passcodes of HTTP tunnels: a share with a password, decided as every share is.

Traefik asks by `forwardAuth` ahead of each request, and forwards the form of the passcode page. The visitor's cookie
is bound to the tunnel and to its passcode, so that it ends with a new passcode. It is the edge's alone: what a
workstation behind the tunnel sets for its shares and its owner goes on to it.
https://doc.traefik.io/traefik/middlewares/http/forwardauth/
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode
from ipaddress import ip_address
from typing import Final
from urllib.parse import parse_qs

from homeportd import clock
from homeportd.auth.limiter import Limiter
from homeportd.auth.passwords import WAITING_OWNER, Passwords
from homeportd.edge.model import Refused
from homeportd.edge.tunnel import Tunnel
from homeportd.errors import Problem, invalid
from homeportd.gateway import pages
from homeportd.gateway.answers import Answer, problem, redirect
from homeportd.gateway.cookies import PASSCODE, ShareCookies, setting, take_out
from homeportd.gateway.request import BadRequest, safe_next
from homeportd.networks import Address, client_key
from homeportd.shares.basic import Basic
from homeportd.shares.model import Decision, Mode, Proof, Share, Visitor, authorize
from homeportd.tunnels.protocol import Kind, Refusal

MAX_FORM: Final = 8 * 1024  # bytes

Headers = dict[bytes, bytes]


class Passcodes:
    """Hashes passcodes for the service, and checks those of visitors. `secure`: visitors come by https."""

    def __init__(self, passwords: Passwords, key: bytes, *, secure: bool) -> None:
        self._passwords = passwords
        self._cookies = ShareCookies(hmac.digest(key, b"passcodes of tunnels", "sha256"))
        self._secure = secure
        self._limiter = Limiter()
        self._basic = Basic()

    # For the service

    async def hash(self, kind: Kind, passcode: str | None) -> str | None:
        """The hash of a reservation's passcode. Raises Problem 422, 503."""
        if passcode is None:
            return None
        if kind is not Kind.HTTP:
            raise invalid(f"a passcode is for HTTP, not {kind.upper()}", "use allow there")
        return await self._passwords.hash(passcode)

    async def hash_again(self, passcode: str | None, known: Tunnel | None) -> str | None:
        """The hash of a client's passcode; the present hash if it is the same, so that visitors stay let in.

        Raises Refused.
        """
        if passcode is None:
            return None
        before = known.options.passcode_hash if known is not None else None
        try:
            if before is not None and await self._passwords.matches(passcode, before, WAITING_OWNER):
                return before
            return await self._passwords.hash(passcode)
        except Problem as error:
            raise Refused(Refusal.LIMIT, error.detail, error.fix) from None

    # For visitors

    async def decide(self, tunnel: Tunnel, headers: Headers) -> Answer:
        """The answer to Traefik about a request: 200, or the response that the visitor gets instead."""
        share, address = _share(tunnel), _address(headers)
        if share is None:
            return Answer(200)
        values, rest = take_out(headers.get(b"cookie", b""), PASSCODE, self._secure)
        proof, basic = Proof.NONE, _basic(headers.get(b"authorization", b""))
        now = clock.now()
        for value in values:
            known = self._cookies.read(value)
            if known is not None and known[1] == share.grant and now.timestamp() < known[2]:
                proof = Proof.COOKIE
        credential_is_ours = False
        if proof is Proof.NONE and basic is not None:
            decision = await self._prove_basic(share, basic, address)
            if _share(tunnel) != share:  # another passcode holds since
                return await self.decide(tunnel, headers)
            credential_is_ours = True
            if decision is not Decision.LOGIN:
                return self._refuse(decision, share, address, headers)
            proof = Proof.BASIC
        decision = authorize(Visitor(address, proof), share, now)
        if not decision.allowed:
            return self._refuse(decision, share, address, headers)
        answer = Answer(200)
        if rest:
            answer.headers.append((b"cookie", rest))
        if b"authorization" in headers and not credential_is_ours:
            answer.headers.append((b"authorization", headers[b"authorization"]))
        return answer

    async def enter(self, tunnel: Tunnel, headers: Headers, form: bytes) -> Answer:
        """The answer to the form: a cookie and a redirect for the right passcode, else the form again."""
        share, address = _share(tunnel), _address(headers)
        sender = headers.get(b"sec-fetch-site", b"")
        origin = headers.get(b"origin", b"").partition(b"://")[2]
        if (sender and sender not in (b"same-origin", b"none")) or (
            origin and origin != headers.get(b"host")
        ):
            return problem(403, "the form was sent from another site", "open the page and type it there")
        fields = _fields(form)
        next_path = safe_next(fields.get("next", "/"))
        if share is None:
            return redirect(303, next_path)
        decision = await self._prove(share, fields.get("password", ""), address)
        if decision is Decision.LOGIN:
            value, lifetime = self._cookies.make(share, clock.now())
            return redirect(303, next_path).add(
                "set-cookie", setting(PASSCODE, value, self._secure, lifetime)
            )
        if decision is Decision.DENIED_LIMIT:
            return pages.too_many(self._wait_s(share, address), None)
        return pages.passcode(headers.get(b"host", b"").decode("latin-1"), next_path, wrong=True)

    def _refuse(self, decision: Decision, share: Share, address: Address, headers: Headers) -> Answer:
        page = b"text/html" in headers.get(b"accept", b"") and b"upgrade" not in headers
        if decision is Decision.DENIED_LIMIT:
            wait_s = self._wait_s(share, address)
            if page:
                return pages.too_many(wait_s, None)
            answer = problem(
                429, "too many wrong passcodes from this address", "wait, and ask for the right one"
            )
            return answer.add("retry-after", str(max(1, int(wait_s))))
        if page:
            host = headers.get(b"x-forwarded-host", b"").decode("latin-1")
            uri = headers.get(b"x-forwarded-uri", b"/").decode("latin-1")
            return pages.passcode(host, safe_next(uri))
        answer = problem(401, "this tunnel has a passcode", "send it as HTTP Basic: curl -u :PASSCODE")
        if b"sec-fetch-mode" in headers or headers.get(b"user-agent", b"").startswith(b"Mozilla/"):
            return answer  # a browser would cover the page with a dialog of its own
        return answer.add("www-authenticate", 'Basic realm="Homeport", charset="UTF-8"')

    async def _prove(self, share: Share, passcode: str, address: Address) -> Decision:
        if self._wait_s(share, address):
            return Decision.DENIED_LIMIT
        if not passcode:
            return Decision.DENIED_PASSWORD  # no guess: the form was sent empty, or was cut on its way
        assert share.password_hash is not None  # noqa: S101 - by `_share`
        client = client_key(address)
        async with self._passwords.turn(client):
            if self._wait_s(share, address):  # others of this client were wrong meanwhile
                return Decision.DENIED_LIMIT
            right = await self._passwords.matches(passcode, share.password_hash)
            self._limiter.note((share.id, client), right=right)
        return Decision.LOGIN if right else Decision.DENIED_PASSWORD

    async def _prove_basic(self, share: Share, passcode: str, address: Address) -> Decision:
        if self._basic.knows(share, passcode):
            return Decision.LOGIN
        return await self._basic.prove(
            share, passcode, address, lambda: self._prove(share, passcode, address)
        )

    def _wait_s(self, share: Share, address: Address) -> float:
        return self._limiter.wait_s((share.id, client_key(address)))


def _share(tunnel: Tunnel) -> Share | None:
    """The tunnel's passcode as a share, without networks, which Traefik checks; None without a passcode."""
    hashed = tunnel.rules.passcode_hash
    if hashed is None:
        return None
    return Share(
        port=0,
        id=f"{tunnel.id}-{hashlib.sha256(hashed.encode()).hexdigest()[:16]}",
        generation=tunnel.reservation.generation,
        mode=Mode.PASSWORD,
        password_hash=hashed,
        expires_at=None,
        allow=(),
        max_uses=None,
        uses=0,
        updated_at=tunnel.reservation.created_at,
    )


def _address(headers: Headers) -> Address:
    """The visitor's address as Traefik saw it, the last of X-Forwarded-For. Raises BadRequest."""
    text = headers.get(b"x-forwarded-for", b"").rpartition(b",")[2].strip().decode("latin-1")
    try:
        return ip_address(text)
    except ValueError:
        raise BadRequest(400, "the visitor's address is missing") from None


def _basic(header: bytes) -> str | None:
    scheme, _, value = header.partition(b" ")
    if scheme.lower() != b"basic" or len(value) > 4096:
        return None
    try:
        _, colon, passcode = b64decode(value.strip(), validate=True).partition(b":")
        return passcode.decode() if colon else None
    except ValueError:
        return None


def _fields(form: bytes) -> dict[str, str]:
    try:
        parsed = parse_qs(form.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=8)
    except ValueError:
        return {}
    return {name: values[0] for name, values in parsed.items()}
