"""Authentication of visitors: the proof in a request, the decision, the right that a connection lives by."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from homeportd.auth.model import Token
from homeportd.gateway.cookies import ShareCookies, take_apart
from homeportd.gateway.initiator import Initiator, cookie_counts, initiator_of
from homeportd.gateway.origin_mapping import OriginMaps
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
        """The id of the login session behind an owner cookie, while it lives."""

    def redeem_handoff(self, code: str, port: int, browser: str) -> str | None:
        """The owner cookie for the one-time code of a hand-off, which is good for one browser."""


class PasswordProofs(Protocol):
    """What the gateway needs of `shares.service.Shares`."""

    def get(self, port: int) -> Share | None:
        """The share of a port."""

    def knows_basic(self, share: Share, password: str) -> bool:
        """Whether this password was accepted before, from anybody."""

    def basic_lets_in(self, share: Share, password: str, address: Address) -> bool:
        """Whether this client's password needs no check."""

    async def prove_basic(self, port: int, password: str, address: Address) -> Decision:
        """Check a password given as HTTP Basic."""

    async def prove(self, port: int, password: str, address: Address) -> Decision:
        """Check a password given on the page."""

    def wait_s(self, port: int, address: Address) -> float:
        """Seconds until this address may try again."""

    def retire_tunnel_source(self, port: int) -> None:
        """Note that visitors of a tunnel come with their own addresses."""


@dataclass(slots=True)
class AuthResult:
    """A decision and what it rests on.

    `right` is what the connection lives by (`share:<grant>`, `owner:<login session>`, `token:<id>`), empty when denied.
    `cookie` is the Cookie header that the dev server may see. `credential_is_ours`: Authorization holds a token or a
    password of Homeport's, which the dev server may not see. `initiator`: whose page asked, where a cookie let it in.
    """

    decision: Decision
    right: str
    share: Share | None
    cookie: bytes
    credential_is_ours: bool
    initiator: Initiator = Initiator.UNKNOWN


@dataclass(frozen=True, slots=True)
class _Cookies:
    """A Cookie header taken apart, with the share cookies that we signed."""

    owners: tuple[str, ...]
    shares: tuple[tuple[int, str, int], ...]  # port, grant, last moment
    rest: bytes  # what is not ours
    for_repo: _Cookies | None = None  # those for requests of pages of the repo's other ports


class Authenticator:
    """Finds the best proof in a request and lets `authorize` decide; memory only, except for a password's bcrypt."""

    def __init__(
        self,
        shares: PasswordProofs,
        auth: OwnerProofs,
        cookies: ShareCookies,
        maps: OriginMaps,
        secure: bool,
        now: Callable[[], datetime],
    ) -> None:
        self._shares = shares
        self._auth = auth
        self._cookies = cookies
        self._maps = maps
        self._secure = secure
        self._now = now
        self._cache: OrderedDict[bytes, _Cookies] = OrderedDict()

    async def authenticate(self, request: AuthRequest) -> AuthResult:
        """The decision about a request. Raises Problem 503 when too many passwords are being checked."""
        return self.from_memory(request) or await self._check_password(request)

    def from_memory(self, request: AuthRequest) -> AuthResult | None:
        """The decision about a request; None when a password must be checked first."""
        share, now = self._shares.get(request.port), self._now()
        cookies = self._take_apart(request.cookie)
        proof, right, credential_is_ours = self._proof(request, share, cookies, now)
        for_repo = cookies.for_repo if proof is Proof.NONE else None
        if for_repo is not None and initiator_of(request, self._maps) is Initiator.SAME_REPO:
            proof, right, credential_is_ours = self._proof(request, share, for_repo, now)
        if request.kind == "api" and proof is not Proof.TOKEN:
            # On the dashboard's own origin even what is public is for programs alone.
            return AuthResult(Decision.DENIED_LOGIN, "", share, cookies.rest, credential_is_ours)
        initiator = Initiator.UNKNOWN
        refused = False
        if proof in (Proof.OWNER, Proof.COOKIE):
            initiator = initiator_of(request, self._maps)
            if not cookie_counts(request, initiator):
                # Then the request is a stranger's, who may be let in as such.
                proof, right, refused = Proof.NONE, "", True
        decision = authorize(Visitor(request.address, proof), share, now)
        if request.authorization and share is not None and share.mode is Mode.PASSWORD:
            password = request.basic_password
            if password is not None:
                credential_is_ours = self._shares.knows_basic(share, password)
                if decision in (Decision.DENIED_PASSWORD, Decision.DENIED_USES):
                    if not self._shares.basic_lets_in(share, password, request.address):
                        return None
                    decision = authorize(Visitor(request.address, Proof.BASIC), share, now)
        if not decision.allowed:
            if refused:
                decision = Decision.DENIED_ORIGIN
            return AuthResult(decision, "", share, cookies.rest, credential_is_ours)
        return AuthResult(
            decision,
            right or (f"share:{share.grant}" if share else ""),
            share,
            cookies.rest,
            credential_is_ours,
            initiator,
        )

    async def _check_password(self, request: AuthRequest) -> AuthResult:
        """Check the password of HTTP Basic; right ones are remembered, so that `from_memory` knows them."""
        password = request.basic_password or ""
        decision = await self._shares.prove_basic(request.port, password, request.address)
        # The share may have changed meanwhile; what was proved counts for what it is now.
        result = self.from_memory(request) if decision is Decision.LOGIN else None
        share = self._shares.get(request.port)
        if decision is Decision.LOGIN:
            decision = Decision.DENIED_LOGIN
        return result or AuthResult(decision, "", share, b"", credential_is_ours=True)

    def _proof(
        self, request: AuthRequest, share: Share | None, cookies: _Cookies, now: datetime
    ) -> tuple[Proof, str, bool]:
        """(The best proof, the owner's right, empty for visitors, and whether Authorization holds a token of ours.)"""
        bearer = request.bearer if request.authorization else ""
        credential_is_ours = bearer.startswith("hp_")
        if credential_is_ours:
            token = self._auth.token(bearer)
            if token is not None:
                return Proof.TOKEN, f"token:{token.id}", True
        if request.kind == "api":
            return Proof.NONE, "", credential_is_ours
        for value in cookies.owners:
            session = self._auth.owner_of(value, request.port)
            if session is not None:
                return Proof.OWNER, f"owner:{session}", credential_is_ours
        if share is not None and cookies.shares:
            moment = now.timestamp()
            for port, grant, until in cookies.shares:
                if port == request.port and grant == share.grant and moment < until:
                    return Proof.COOKIE, "", credential_is_ours
        return Proof.NONE, "", credential_is_ours

    def _take_apart(self, header: bytes) -> _Cookies:
        cookies = self._cache.get(header)
        if cookies is None:
            jar = take_apart(header, self._secure)
            for_repo = None
            if jar.owner_for_repo or jar.share_for_repo:
                for_repo = _Cookies(jar.owner_for_repo, self._read(jar.share_for_repo), jar.rest)
            cookies = _Cookies(jar.owner, self._read(jar.share), jar.rest, for_repo)
            if len(header) <= CACHED_HEADER:
                self._cache[header] = cookies
                if len(self._cache) > MAX_CACHED:
                    self._cache.popitem(last=False)
        return cookies

    def _read(self, values: tuple[str, ...]) -> tuple[tuple[int, str, int], ...]:
        read = (self._cookies.read(value) for value in values)
        return tuple(found for found in read if found is not None)
