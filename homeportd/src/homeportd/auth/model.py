"""Callers of the API, and what proves that they are the owner."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """Kind of proof that a caller is the owner."""

    LOGIN_SESSION = "session"
    TOKEN = "token"  # noqa: S105 - the name of a kind
    PEER = "peer"  # a local process of the owner's user, by SO_PEERCRED


@dataclass(frozen=True)
class Caller:
    """The owner, by one of three proofs; `name` is the id of a login session, the id of a token or a user id."""

    kind: Kind
    name: str


@dataclass(frozen=True)
class LoginSession:
    """A browser that logged in to the dashboard; `hash` is SHA-256 of its cookie."""

    id: str
    hash: bytes
    created_at: datetime
    expires_at: datetime


class Scope(StrEnum):
    """Scope of a token."""

    OWNER = "owner"  # the whole API
    TUNNEL = "tunnel"  # connecting to the edge, nothing else


@dataclass(frozen=True)
class Token:
    """A token; `hash` is SHA-256 of the secret, `prefix` its first characters, to recognise it by.

    `lineage` is the id of the first of the tokens that replaced one another: what one of them reserved is
    its successors'. `expires_at` is the end of a token that was replaced.
    """

    id: str
    name: str
    prefix: str
    hash: bytes
    created_at: datetime
    last_used_at: datetime | None
    scope: Scope = Scope.OWNER
    lineage: str = ""
    expires_at: datetime | None = None

    def expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and now >= self.expires_at
