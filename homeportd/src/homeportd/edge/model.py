"""Reservations of an edge: names and ports, their owners, the rules for their visitors. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from homeportd.errors import HomeportError
from homeportd.networks import Network, NetworkError, parse_networks
from homeportd.tunnels.protocol import Kind, Limits, Open, ProxyProtocol, Refusal

MAX_CONNECTIONS = 16_384  # of one tunnel, where nothing lower was set
NO_LIMITS = Limits()


class Refused(HomeportError):
    """A refusal of what a client asked for; `reason` is for its program."""

    def __init__(self, reason: Refusal, detail: str, fix: str) -> None:
        super().__init__(detail, fix)
        self.reason = reason


@dataclass(frozen=True)
class Reservation:
    """A name (HTTP) or a port (TCP, UDP) of this edge.

    `lineage`: the tokens that own it; None: the first client owns it. `reserved`: it stays when its client is gone.
    `allow`, `limits`, `passcode_hash` and `subdomains` are the reservation's; a client's own come on top.
    `generation` rises whenever the passcode changes.
    """

    id: str
    kind: Kind
    name: str | None
    port: int | None
    lineage: str | None
    reserved: bool
    created_at: datetime
    allow: tuple[Network, ...] = ()
    limits: Limits = NO_LIMITS
    passcode_hash: str | None = None
    generation: int = 1
    subdomains: bool = False  # names below its own lead there too

    @property
    def label(self) -> str:
        """The name, or the port as text, as a person writes it."""
        return self.name or str(self.port)

    def released(self) -> Reservation:
        """The same name or port without the owner's rules, kept for its client alone."""
        return Reservation(
            self.id,
            self.kind,
            self.name,
            self.port,
            self.lineage,
            reserved=False,
            created_at=self.created_at,
            generation=self.generation,
        )

    def narrowed_by(self, after: Reservation) -> bool:
        """Whether `after` takes from visitors what they may have: a network, a name without a passcode, a passcode."""
        if self.passcode_hash is not None and after.passcode_hash not in (None, self.passcode_hash):
            return True
        return stricter(rules(self, ClientOptions()), rules(after, ClientOptions()))


@dataclass(frozen=True)
class ClientOptions:
    """The options that the client of a tunnel asked for."""

    host: str | None = None
    allow: tuple[Network, ...] = ()
    limits: Limits = NO_LIMITS
    passcode_hash: str | None = None
    workstation: bool = False  # names of its ports lead to it too
    proxy_protocol: ProxyProtocol | None = None  # what its server reads at the head of a TCP connection
    subdomains: bool = False  # names below its own lead to it too
    http2: bool = False  # whether its server speaks HTTP/2 without TLS

    @classmethod
    def of(cls, message: Open) -> ClientOptions:
        """The options in a request to open a tunnel, but for the passcode. Raises Refused."""
        return cls(
            message.host,
            networks(message.allow),
            message.limits,
            workstation=message.workstation,
            proxy_protocol=message.proxy_protocol,
            subdomains=message.subdomains,
            http2=message.http2,
        )


@dataclass(frozen=True)
class Rules:
    """The rules for visitors: the reservation's and the client's. An address must be in each list of `allow`."""

    allow: tuple[tuple[Network, ...], ...]
    bytes_per_second: int | None
    connections: int
    passcode_hash: str | None  # the client's, or else the reservation's
    subdomains: bool  # where either says so


def rules(reservation: Reservation, options: ClientOptions) -> Rules:
    """The rules of a reservation joined with its client's: the stricter of both."""
    rates = [
        x for x in (reservation.limits.bytes_per_second, options.limits.bytes_per_second) if x is not None
    ]
    counts = [x for x in (reservation.limits.connections, options.limits.connections) if x is not None]
    return Rules(
        allow=tuple(networks for networks in (reservation.allow, options.allow) if networks),
        bytes_per_second=min(rates, default=None),
        connections=min([*counts, MAX_CONNECTIONS]),
        passcode_hash=options.passcode_hash or reservation.passcode_hash,
        subdomains=options.subdomains or reservation.subdomains,
    )


def stricter(before: Rules, after: Rules) -> bool:
    """Whether a visitor that `before` lets in may have to stay out by `after`."""
    return (
        not set(after.allow) <= set(before.allow)
        or (after.passcode_hash is not None and before.passcode_hash is None)
        or (before.subdomains and not after.subdomains)
    )


def networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    """Parse an allowlist. Raises Refused."""
    try:
        return parse_networks(texts)
    except NetworkError as error:
        raise Refused(Refusal.NETWORK_BAD, error.detail, error.fix) from None
