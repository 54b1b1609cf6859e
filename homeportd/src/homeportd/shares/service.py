"""All shares: set, remove, look up, prove a password, end at expiry."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from homeportd import clock
from homeportd.auth.limiter import Limiter
from homeportd.auth.passwords import Passwords
from homeportd.endings import Endings
from homeportd.errors import Problem, invalid, not_found
from homeportd.networks import (
    Address,
    Network,
    NetworkError,
    client_key,
    parse_network,
    parse_networks,
    within,
)
from homeportd.shares import expiry, host_header
from homeportd.shares.basic import Basic
from homeportd.shares.binding import Binding
from homeportd.shares.changes import narrows
from homeportd.shares.model import Decision, Mode, Share
from homeportd.shares.store import ShareStore
from homeportd.signal import Signal

MAX_USES = 1_000_000
TUNNEL_SOURCE = parse_network("127.77.0.1/32")


@dataclass(frozen=True)
class ShareRequest:
    """A share as the owner asks for it; `expires` as in `expiry.parse`, `password` None keeps the one there is, and
    `host_header` as in `host_header.parse`."""

    mode: Mode
    password: str | None = None
    expires: str | None = None
    allow: tuple[str, ...] = ()
    max_uses: int | None = None
    host_header: str | None = None
    subdomains: bool = False


async def _no_refusal(_port: int) -> Problem | None:
    return None


async def _no_binding(_port: int) -> Binding | None:
    return None


class Shares:
    """All shares, in memory for decisions, in the database for ever."""

    def __init__(
        self,
        store: ShareStore,
        passwords: Passwords,
        endings: Endings,
        now: Callable[[], datetime] = clock.now,
        refusal: Callable[[int], Problem | None] = lambda port: None,
        binding: Callable[[int], Awaitable[Binding | None]] = _no_binding,
        subdomain_refusal: Callable[[int], Awaitable[Problem | None]] = _no_refusal,
    ) -> None:
        """`refusal` says why a port cannot be shared, if it cannot; `binding` what listens on a port
        now; `subdomain_refusal` why names below a port's own cannot lead to it."""
        self._store = store
        self._passwords = passwords
        self._endings = endings
        self._now = now
        self._refusal = refusal
        self._binding = binding
        self._subdomain_refusal = subdomain_refusal
        self._shares: dict[int, Share] = {}
        self._writing = asyncio.Lock()
        self._limiter = Limiter()
        self._basic = Basic()
        self._ended: set[str] = set()  # grants whose expiry was announced
        # A share was set, removed (None) or has expired: its port and the share.
        self.changed: Signal[[int, Share | None]] = Signal()
        # A share has been paused, or goes on: `Share.paused` says which.
        self.paused: Signal[[Share]] = Signal()

    async def load(self) -> None:
        """Read what the database holds."""
        self._shares = {share.port: share for share in await self._store.all()}
        self._ended = {share.grant for share in self._shares.values() if share.expired(self._now())}

    def get(self, port: int) -> Share | None:
        """The share of a port, from memory."""
        return self._shares.get(port)

    def all(self) -> list[Share]:
        """Every share, by port."""
        return [self._shares[port] for port in sorted(self._shares)]

    def alive(self, port: int, grant: str) -> bool:
        """Whether a visitor let in under `grant` may stay."""
        share = self._shares.get(port)
        if share is None or share.paused is not None:
            return False
        return share.grant == grant and not share.expired(self._now())

    async def set(self, port: int, request: ShareRequest) -> Share:
        """Make or change the share of a port.

        A change that takes something from somebody holds before it is written. Raises Problem 422 for a request that
        cannot be granted, 409 for a port that is not looked at, 503 where a narrower share cannot be written: then
        the port is private. A wider one that cannot be written raises sqlite3.Error, and leaves the share as it was.
        """
        if not 1 <= port <= 65535:
            raise invalid(f"{port} is not a port", "give a number from 1 to 65535")
        refused = self._refusal(port)
        if refused is not None and (request.mode is not Mode.PRIVATE or port not in self._shares):
            raise refused  # one that is there since the ranges were wider may be made private
        now = self._now()
        expires_at = expiry.parse(request.expires, now)
        allow = _networks(request.allow)
        host = host_header.parse(request.host_header)
        if request.max_uses is not None and not 1 <= request.max_uses <= MAX_USES:
            raise invalid(f"max_uses is not between 1 and {MAX_USES}", "leave it out for no limit")
        if request.password is not None and request.mode is not Mode.PASSWORD:
            raise invalid(
                f"a {request.mode} share has no password", "use mode password, or leave the password out"
            )
        if request.max_uses is not None and request.mode is not Mode.PASSWORD:
            raise invalid("max_uses counts passwords", "use mode password, or leave max_uses out")
        if request.subdomains and (cannot := await self._subdomain_refusal(port)) is not None:
            raise cannot
        fresh_hash = await self._passwords.hash(request.password) if request.password is not None else None

        made_for = await self._binding(port)

        def made_of(before: Share | None) -> Share:
            password_hash = fresh_hash or (before.password_hash if before else None)
            if request.mode is not Mode.PASSWORD:
                password_hash = None
            elif password_hash is None:
                raise Problem(409, "a password share needs a password", "give one with the request")
            kept = before if before is not None and before.open(now) else None
            return Share(
                port=port,
                id=before.id if before else secrets.token_hex(8),
                generation=before.generation + 1 if before else 1,
                mode=request.mode,
                password_hash=password_hash,
                expires_at=expires_at,
                allow=allow,
                max_uses=request.max_uses,
                uses=0,
                updated_at=now,
                host_header=host,
                subdomains=request.subdomains,
                binding=kept.binding if kept else made_for,
                inherited=bool(kept and kept.inherited),
                paused=kept.paused if kept and request.mode is not Mode.PRIVATE else None,
            )

        before = self._shares.get(port)
        share = made_of(before)
        if narrows(before, share, now):
            await self._narrow(share)
            return share
        async with self._writing:
            before = self._shares.get(port)
            share = made_of(before)
            await self._store.save(share)
            if not _same(self._shares.get(port), before):
                # What came meanwhile is written next, and stays.
                raise Problem(409, f"the share of port {port} was changed at the same moment", "try again")
            self._shares[port] = share
        self.changed.emit(port, share)
        return self._shares.get(port, share)

    async def _narrow(self, share: Share) -> None:
        """Replace a wider share, in memory at once. Where that cannot be written the port becomes private."""
        port = share.port
        self._hold(port, share)
        try:
            await self._write(port, f"the share of port {port} was not changed, but has ended")
        except Problem:
            held = self._shares.get(port)
            if held is not None and held.grant == share.grant:
                self._hold(port, None)
            raise

    async def remove(self, port: int) -> None:
        """Back to private. Raises Problem 404 when there is no share, 503: it has ended, and the disk does not know."""
        if port not in self._shares:
            raise not_found(f"a share of port {port}", "homeport list shows what is shared")
        self._hold(port, None)
        await self._write(port, f"the share of port {port} has ended")

    def _hold(self, port: int, share: Share | None) -> None:
        if share is None:
            del self._shares[port]
        else:
            self._shares[port] = share
        self.changed.emit(port, share)

    async def _write(self, port: int, ended: str) -> None:
        async def write() -> None:
            async with self._writing:
                share = self._shares.get(port)
                await (self._store.delete(port) if share is None else self._store.save(share))

        await self._endings.write(f"share of port {port}", ended, write)

    async def bind(self, port: int, binding: Binding) -> Share:
        """Let a share lead to other servers; visitors keep what they hold. Raises Problem 404 without a share."""
        missing = not_found(f"a share of port {port}", "homeport list shows what is shared")
        async with self._writing:
            share = self._shares.get(port)
            if share is None:
                raise missing
            await self._store.save(replace(share, binding=binding, inherited=False))
            share = self._shares.get(port)
            if share is None:  # ended meanwhile, which is written next
                raise missing
            was_paused = share.paused is not None
            share = self._shares[port] = replace(share, binding=binding, inherited=False, paused=None)
        self.changed.emit(port, share)
        share = self._shares.get(port, share)
        if was_paused and share.paused is None:
            self.paused.emit(share)
        return share

    def pause(self, port: int, reason: str | None) -> None:
        """Refuse visitors of a share for a reason, or let them in again (None)."""
        share = self._shares.get(port)
        if share is None or share.paused == reason:
            return
        turned = (share.paused is None) != (reason is None)
        share = self._shares[port] = replace(share, paused=reason)
        self.changed.emit(port, share)
        if turned:
            self.paused.emit(share)

    async def prove(  # noqa: PLR0911 - one a reason
        self, port: int, password: str, address: Address
    ) -> Decision:
        """Check a visitor's password: LOGIN when it is right, else the denial.

        A right password counts as one use, on disk before anyone is let in. Raises Problem 503 under load.
        """
        share = self._shares.get(port)
        if share is None or share.mode is not Mode.PASSWORD or share.password_hash is None:
            return Decision.DENIED_LOGIN
        if share.expired(self._now()):
            return Decision.DENIED_EXPIRED
        if share.allow and not within(address, share.allow):
            return Decision.DENIED_NETWORK
        if share.paused is not None:
            return Decision.DENIED_PAUSED
        if self.wait_s(port, address):
            return Decision.DENIED_LIMIT
        if not password:
            return Decision.DENIED_PASSWORD  # no guess: the form was sent empty, or was cut on its way
        client = client_key(address)
        async with self._passwords.turn(client):
            if self.wait_s(port, address):  # others of this client were wrong meanwhile
                return Decision.DENIED_LIMIT
            right = await self._passwords.matches(password, share.password_hash)
            self._limiter.note((port, client), right=right)
        if not right:
            return Decision.DENIED_PASSWORD
        return await self._use(port, share.grant)

    async def _use(self, port: int, grant: str) -> Decision:
        async with self._writing:
            share = self._shares.get(port)
            if share is None or share.grant != grant:
                return Decision.DENIED_LOGIN  # changed while the password was being checked
            if share.max_uses is None:
                return Decision.LOGIN
            if share.uses >= share.max_uses:
                return Decision.DENIED_USES
            await self._store.save(replace(share, uses=share.uses + 1))
            present = self._shares.get(port)
            if present is None or not _same(present, share):
                return Decision.DENIED_LOGIN  # ended while the use was being written
            self._shares[port] = share = replace(present, uses=share.uses + 1)
        self.changed.emit(port, share)
        return Decision.LOGIN

    def wait_s(self, port: int, address: Address) -> float:
        """Seconds until this client may give a password for this port again; 0 when it may now."""
        return self._limiter.wait_s((port, client_key(address)))

    def retire_tunnel_source(self, port: int) -> None:
        """Take the address that all visitors of a tunnel had out of an allowlist: this tunnel names their own.

        A release before December 2026 put it in, and its daemon may need it until it is started anew. Until 0.3.
        """
        share = self._shares.get(port)
        if share is not None and TUNNEL_SOURCE in share.allow and len(share.allow) > 1:
            kept = tuple(network for network in share.allow if network != TUNNEL_SOURCE)
            self._shares[port] = replace(share, allow=kept)  # on disk with its next change

    def knows_basic(self, share: Share, password: str) -> bool:
        """Whether `prove_basic` accepted this password for this very generation, from anybody."""
        return self._basic.knows(share, password)

    def basic_lets_in(self, share: Share, password: str, address: Address) -> bool:
        """Whether this client's password needs no check: `prove_basic` accepted it, from this client if uses count."""
        return self._basic.lets_in(share, password, address)

    async def prove_basic(self, port: int, password: str, address: Address) -> Decision:
        """As `prove`, remembered, so that a script's next request costs no bcrypt."""
        share = self._shares.get(port)
        if share is None:
            return Decision.DENIED_LOGIN
        return await self._basic.prove(share, password, address, lambda: self.prove(port, password, address))

    def sweep(self) -> None:
        """Announce shares whose time has come to an end since the last sweep, or has not after all: clocks are set."""
        now = self._now()
        ended = {share.grant for share in self._shares.values() if share.expired(now)}
        turned, self._ended = ended ^ self._ended, ended
        for share in self.all():
            if share.grant in turned:
                self.changed.emit(share.port, share)


def _same(one: Share | None, other: Share | None) -> bool:
    """Whether nothing has changed between the two, pauses excepted."""
    if one is None or other is None:
        return one is other
    return replace(one, paused=None) == replace(other, paused=None)


def _networks(texts: Sequence[str]) -> tuple[Network, ...]:
    try:
        return parse_networks(texts)
    except NetworkError as error:
        raise invalid(error.detail, error.fix) from None
