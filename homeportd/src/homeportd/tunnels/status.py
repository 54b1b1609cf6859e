"""What the daemon answers on its socket about itself and its tunnels. Times are ISO 8601 UTC with a Z."""

from __future__ import annotations

from typing import TypedDict


class ErrorStatus(TypedDict):
    """An error for a person; `reason` is a value of `errors.Reason`."""

    reason: str
    detail: str
    fix: str


class TunnelStatus(TypedDict):
    """One tunnel. `key` names it within its client, `id` at the edge; `connections` is the present number, `total`
    that since the client's start, `failed` those of it that the local server did not take.
    """

    key: str
    kind: str
    target: str
    state: str
    since: str
    address: str | None
    name: str | None
    port: int | None
    id: str | None
    label: str | None
    allow: list[str]
    passcode: bool
    host: str | None
    proxy_protocol: str | None
    connections: int
    total: int
    failed: int
    bytes_in: int
    bytes_out: int
    rate_in: int  # bytes a second
    rate_out: int
    last_byte_at: str | None
    problem: ErrorStatus | None


class ClientStatus(TypedDict):
    """A client and its links to the edge. `token_ends`: the end of a token that was replaced; `skew_s`: the edge's
    clock less this machine's, where they differ much.
    """

    up: bool
    edge: str | None
    url: str | None
    links: int
    attempts: int
    round_trip_ms: float | None
    skew_s: int | None
    token_ends: str | None
    problem: ErrorStatus | None
    next_try_s: float | None
    tunnels: list[TunnelStatus]


class DaemonStatus(ClientStatus):
    """A client that runs as the daemon."""

    version: str
    pid: int
    started_at: str


class AddedTunnel(TypedDict):
    """The answer to `add`. `answered`: the edge has accepted or refused the tunnel within the time for it."""

    tunnel: TunnelStatus
    answered: bool
    problem: ErrorStatus | None
