"""What a visitor has proved about itself, and the right that its connections live by."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from homeportd.auth.model import Token
from homeportd.gateway.cookies import Jar, ShareCookies, take_apart
from homeportd.gateway.request import AuthRequest
from homeportd.networks import Address
from homeportd.shares.model import Decision, Mode, Proof, Share, Visitor, authorize

MAX_CACHED = 1024  # Cookie headers taken apart and verified
CACHED_HEADER = 2048  # bytes; longer ones are taken apart each time


class OwnerProofs(Protocol):
    """What the gateway needs of `auth.service.Auth`."""

    def token(self, secret: str) -> Token | None:
        """The token with this secret."""

    def owner_of(self, cookie: str, port: int) -> str | None:
        """The living session behind an owner cookie."""

    def redeem_handoff(self, code: str, port: int) -> str | None:
        """The owner cookie for a one-time code."""


class PasswordProofs(Protocol):
    """What the gateway needs of `shares.service.Shares`."""

    def get(self, port: int) -> Share | None:
        """The share of a port."""

    def knows_basic(self, share: Share, password: str) -> bool:
        """Whether this password was accepted before."""

    async def prove_basic(self, port: int, password: str, address: Address) -> Decision:
        """Check a password given as HTTP Basic."""

    async def prove(self, port: int, password: str, address: Address) -> Decision:
        """Check a password given on the page."""

    def wait_s(self, port: int, address: Address) -> float:
        """Seconds until this address may try again."""


@dataclass(slots=True)
class AuthResult:
    """The decision, the right behind it (empty when denied), and whether Authorization was for us."""

    decision: Decision
    right: str
    share: Share | None
    cookie: bytes  # what the app may see
    ours: bool


@dataclass(frozen=True, slots=True)
class _Known:
    jar: Jar
    shares: tuple[tuple[int, str, int], ...]  # port, grant, last moment


class Authenticator:
    """Finds the best proof in a request and asks `authorize`; memory only, except for a password's bcrypt."""

    def __init__(
        self,
        shares: PasswordProofs,
        auth: OwnerProofs,
        cookies: ShareCookies,
        secure: bool,
        now: Callable[[], datetime],
    ) -> None:
        self._shares = shares
        self._auth = auth
        self._cookies = cookies
        self._secure = secure
        self._now = now
        self._known: OrderedDict[bytes, _Known] = OrderedDict()

    async def judge(self, ask: AuthRequest) -> AuthResult:
        """May raise Problem 503 when too many passwords are being checked."""
        return self.at_once(ask) or await self._prove(ask)

    def at_once(self, ask: AuthRequest) -> AuthResult | None:
        """What can be said from memory; None when a password must be checked first."""
        share, now = self._shares.get(ask.port), self._now()
        known = self._read(ask.cookie)
        proof, right, ours = self._proof(ask, share, known, now)
        if ask.door == "api" and proof is not Proof.TOKEN:
            # On the dashboard's own origin even what is public is for programs alone.
            return AuthResult(Decision.DENIED_LOGIN, "", share, known.jar.rest, ours)
        decision = authorize(Visitor(ask.address, proof), share, now)
        if ask.authorization and share is not None and share.mode is Mode.PASSWORD:
            password = ask.basic_password
            if password is not None:
                ours = self._shares.knows_basic(share, password)
                if decision in (Decision.DENIED_PASSWORD, Decision.DENIED_USES):
                    if not ours:
                        return None
                    decision = authorize(Visitor(ask.address, Proof.BASIC), share, now)
        if not decision.allowed:
            return AuthResult(decision, "", share, known.jar.rest, ours)
        return AuthResult(
            decision, right or (f"share:{share.grant}" if share else ""), share, known.jar.rest, ours
        )

    async def _prove(self, ask: AuthRequest) -> AuthResult:
        """Check the password of HTTP Basic; right ones are remembered, so that `at_once` knows them."""
        password = ask.basic_password or ""
        decision = await self._shares.prove_basic(ask.port, password, ask.address)
        # The share may have changed meanwhile; what was proved counts for what it is now.
        finding = self.at_once(ask) if decision is Decision.LOGIN else None
        share = self._shares.get(ask.port)
        if decision is Decision.LOGIN:
            decision = Decision.DENIED_LOGIN
        return finding or AuthResult(decision, "", share, b"", ours=True)

    def _proof(
        self, ask: AuthRequest, share: Share | None, known: _Known, now: datetime
    ) -> tuple[Proof, str, bool]:
        """The proof, the owner's right (visitors live by their share), and whether Authorization holds a token."""
        bearer = ask.bearer if ask.authorization else ""
        ours = bearer.startswith("hp_")
        if ours:
            token = self._auth.token(bearer)
            if token is not None:
                return Proof.TOKEN, f"token:{token.id}", True
        if ask.door == "api":
            return Proof.NONE, "", ours
        for value in known.jar.owner:
            session = self._auth.owner_of(value, ask.port)
            if session is not None:
                return Proof.OWNER, f"owner:{session}", ours
        if share is not None and known.shares:
            moment = now.timestamp()
            for port, grant, until in known.shares:
                if port == ask.port and grant == share.grant and moment < until:
                    return Proof.COOKIE, "", ours
        return Proof.NONE, "", ours

    def _read(self, header: bytes) -> _Known:
        known = self._known.get(header)
        if known is None:
            jar = take_apart(header, self._secure)
            read = (self._cookies.read(value) for value in jar.share)
            known = _Known(jar, tuple(found for found in read if found is not None))
            if len(header) <= CACHED_HEADER:
                self._known[header] = known
                if len(self._known) > MAX_CACHED:
                    self._known.popitem(last=False)
        return known
