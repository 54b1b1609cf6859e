"""A domain: its state, its DNS answers, its certificate. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    """The state of a domain. Without TLS, `verified` is the last."""

    PENDING = "pending"  # its DNS record does not lead here yet
    VERIFIED = "verified"  # it does; the certificate is awaited
    ISSUED = "issued"
    ERROR = "error"


@dataclass(frozen=True)
class Trouble:
    """A fault of a domain: what is wrong, and the next step of its owner."""

    detail: str
    fix: str


@dataclass(frozen=True)
class Record:
    """A DNS record: `name` and a CNAME's `value` end in a dot."""

    name: str
    type: str
    value: str


@dataclass(frozen=True)
class Certificate:
    """The certificate that Traefik shows to visitors of a domain."""

    issuer: str
    not_before: datetime
    not_after: datetime
    serial: str


class Destination(StrEnum):
    """The machine that a domain leads to, by DNS."""

    HERE = "here"  # to this edge
    ELSEWHERE = "elsewhere"  # or nowhere
    FORBIDDEN = "forbidden"  # here, but its CAA records keep our certificate authority away
    UNKNOWN = "unknown"  # no DNS server answered


@dataclass(frozen=True)
class DnsResult:
    """An answer of DNS. `found`: the records, as a person would write them; `note`: whose answer, if not the zone's.

    `trouble`: why the destination is not HERE. `apex`: the domain is the top of its zone; None: no DNS server answered.
    """

    destination: Destination
    found: tuple[str, ...] = ()
    note: str | None = None
    trouble: Trouble | None = None
    apex: bool | None = None


@dataclass(frozen=True)
class Failure:
    """A refusal of the certificate authority, in its own words."""

    at: datetime
    reason: str


@dataclass(frozen=True)
class Mapping:
    """A domain and the reserved name (by the id of its tunnel) that it leads to.

    `routed`: Traefik has a route for it. `asking`: with a certificate resolver, so that Traefik asks for a
    certificate; since `asked_at`. After a refusal it does not, until `retry_at`.
    """

    domain: str
    tunnel: str
    created_at: datetime
    state: State = State.PENDING
    apex: bool = False
    routed: bool = False
    asking: bool = False
    asked_at: datetime | None = None
    retry_at: datetime | None = None
    failures: int = 0
    found: tuple[str, ...] = ()
    note: str | None = None
    error: Trouble | None = None
    certificate: Certificate | None = None
    checked_at: datetime | None = None
