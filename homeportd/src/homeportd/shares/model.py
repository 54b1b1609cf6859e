"""A share, the policy of one port, and the pure decision that gateway and edge ask for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from homeportd.networks import Address, Network, within
from homeportd.shares.binding import Binding

# Values of `Share.host_header` beside a name.
LOCALHOST = "localhost"  # the dev server is asked as `localhost:<port>`
KEEP = "keep"  # it is asked by the public name


class Mode(StrEnum):
    """Mode of a share: for the owner alone, for those who know the password, for everybody."""

    PRIVATE = "private"
    PASSWORD = "password"  # noqa: S105 - the name of a mode
    PUBLIC = "public"


@dataclass(frozen=True)
class Share:
    """The policy of one port.

    `id` is new for each share, `generation` rises with every change to it; proofs that visitors hold name both, so
    that a change ends them. `allow` empty means any address. `uses` counts passwords accepted. `subdomains`: the
    names one label below the port's own lead here too. `host_header` is LOCALHOST, KEEP, or the Host, with or
    without a port, that the dev server is to see. `binding` is what it was made for, None as long as nothing has
    listened there. `inherited`: a release made it that noted no binding. `paused` says why visitors are refused
    although the share stands: something else has its number.
    """

    port: int
    id: str
    generation: int
    mode: Mode
    password_hash: str | None
    expires_at: datetime | None
    allow: tuple[Network, ...]
    max_uses: int | None
    uses: int
    updated_at: datetime
    host_header: str = LOCALHOST
    subdomains: bool = False
    binding: Binding | None = None
    inherited: bool = False
    paused: str | None = None  # not stored: it is found again

    def expired(self, now: datetime) -> bool:
        """Whether its time is over; from then on the port is private again."""
        return self.expires_at is not None and now >= self.expires_at

    def open(self, now: datetime) -> bool:
        """Whether it lets anybody in but the owner, unless it is paused."""
        return self.mode is not Mode.PRIVATE and not self.expired(now)

    @property
    def grant(self) -> str:
        """The text that a visitor's proof is bound to: id and generation."""
        return f"{self.id}.{self.generation}"


class Proof(StrEnum):
    """Verified proof of a visitor."""

    OWNER = "owner"  # the dashboard's session
    TOKEN = "token"  # noqa: S105 - the name of a proof
    COOKIE = "cookie"  # the cookie given for this share's password, of this generation
    BASIC = "basic"  # this share's password as HTTP Basic
    NONE = "none"


@dataclass(frozen=True)
class Visitor:
    """A visitor: the real client address and its proof."""

    address: Address
    proof: Proof


class Decision(StrEnum):
    """The answer, as the access log writes it."""

    OWNER = "owner"
    TOKEN = "token"  # noqa: S105
    PASSWORD = "password"  # noqa: S105
    BASIC = "basic"
    PUBLIC = "public"
    LOGIN = "login"
    DENIED_LOGIN = "denied:login"
    DENIED_PASSWORD = "denied:password"  # noqa: S105
    DENIED_NETWORK = "denied:network"
    DENIED_EXPIRED = "denied:expired"
    DENIED_LIMIT = "denied:limit"
    DENIED_USES = "denied:uses"
    DENIED_ORIGIN = "denied:origin"  # the cookie would do, but a page of another origin used it
    DENIED_PAUSED = "denied:paused"

    @property
    def allowed(self) -> bool:
        """Whether the visitor gets through."""
        return not self.value.startswith("denied:")


def authorize(visitor: Visitor, share: Share | None, now: datetime) -> Decision:  # noqa: PLR0911 - one a rule
    """The decision whether this visitor may see a port. `share` is None for a port that was never shared."""
    if visitor.proof is Proof.OWNER:
        return Decision.OWNER
    if visitor.proof is Proof.TOKEN:
        return Decision.TOKEN
    if share is None or share.mode is Mode.PRIVATE:
        return Decision.DENIED_LOGIN
    if share.expired(now):
        return Decision.DENIED_EXPIRED
    if share.allow and not within(visitor.address, share.allow):
        return Decision.DENIED_NETWORK
    if share.paused is not None:
        return Decision.DENIED_PAUSED
    if share.mode is Mode.PUBLIC:
        return Decision.PUBLIC
    if visitor.proof is Proof.COOKIE:
        return Decision.PASSWORD
    if visitor.proof is Proof.BASIC:
        return Decision.BASIC
    if share.max_uses is not None and share.uses >= share.max_uses:
        return Decision.DENIED_USES
    return Decision.DENIED_PASSWORD
