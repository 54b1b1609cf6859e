"""Tunnels and reservations as the API shows them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Literal

from pydantic import BaseModel

from homeportd import clock
from homeportd.edge.traffic.connection_log import LoggedConnection
from homeportd.edge.traffic.rollups import Minute
from homeportd.edge.tunnel import Tunnel

Kind = Literal["http", "tcp", "udp"]


class LimitsView(BaseModel):
    """Limits of one tunnel: bytes a second in each direction, connections at a time; null is no limit."""

    bytes_per_second: int | None
    connections: int | None


class TunnelView(BaseModel):
    """A name or port of this edge. `live` says that a client holds it; `last_byte_at`, when anything moved."""

    id: str
    kind: Kind
    name: str | None
    port: int | None
    address: str
    client: str | None
    state: Literal["live", "offline"]
    since: str
    last_byte_at: str | None
    connections: int
    bytes_in: int
    bytes_out: int
    rate_in: float
    rate_out: float
    requests: int
    refused: int
    dropped: int
    allow: list[str]
    limits: LimitsView
    passcode: bool
    proxy_protocol: Literal["v1", "v2"] | None
    subdomains: bool
    reserved: bool
    links: int
    round_trip_ms: float | None


class RatesView(BaseModel):
    """The statistics of a tunnel that change all the time."""

    id: str
    connections: int
    bytes_in: int
    bytes_out: int
    rate_in: float
    rate_out: float
    requests: int
    last_byte_at: str | None
    round_trip_ms: float | None


class ReservationView(BaseModel):
    """A name or port that is reserved. `token`: the name of the token that owns it; null: the first client will."""

    id: str
    kind: Kind
    name: str | None
    port: int | None
    address: str
    token: str | None
    allow: list[str]
    limits: LimitsView
    passcode: bool
    subdomains: bool
    created_at: str
    live: bool


class ConnectionLogRow(BaseModel):
    """A row of the connection log."""

    id: int
    time: str
    event: Literal["request", "open", "close", "refused"]
    address: str
    port: int
    method: str | None
    path: str | None
    status: int | None
    bytes_in: int | None
    bytes_out: int | None
    duration_ms: int | None


class TrafficMinute(BaseModel):
    """The counters of one minute with traffic."""

    minute: str
    bytes_in: int
    bytes_out: int
    connections: int
    requests: int
    refused: int
    dropped: int
    datagrams_in: int
    datagrams_out: int


class TunnelClosedView(BaseModel):
    """Data of the event that a name or port is free again."""

    id: str


class TunnelRatesView(BaseModel):
    """Data of the event that rates have changed: those of the tunnels concerned."""

    tunnels: list[RatesView]


class ConnectionEvent(ConnectionLogRow):
    """Data of the event that the connection log has a new row; `tunnel` is the tunnel's id, `id` is 0 so far."""

    tunnel: str


EVENTS: Final[dict[str, type[BaseModel]]] = {
    "tunnel.opened": TunnelView,
    "tunnel.changed": TunnelView,
    "tunnel.closed": TunnelClosedView,
    "tunnel.rates": TunnelRatesView,
    "tunnel.visit": ConnectionEvent,  # the name that programs know
}


def tunnel_view(tunnel: Tunnel, address: str) -> TunnelView:
    """The present state of one tunnel."""
    reservation, stats, holder = tunnel.reservation, tunnel.stats, tunnel.holder
    return TunnelView(
        id=tunnel.id,
        kind=reservation.kind.value,
        name=reservation.name,
        port=reservation.port,
        address=address,
        client=holder.name if holder else None,
        state="live" if tunnel.live else "offline",
        since=clock.to_text(tunnel.since),
        last_byte_at=clock.to_text(stats.last_byte_at(clock.now())),
        connections=stats.open,
        bytes_in=stats.total.bytes_in,
        bytes_out=stats.total.bytes_out,
        rate_in=round(stats.rate_in, 1),
        rate_out=round(stats.rate_out, 1),
        requests=stats.total.requests,
        refused=stats.total.refused,
        dropped=stats.total.dropped,
        allow=list(dict.fromkeys(str(network) for networks in tunnel.rules.allow for network in networks)),
        limits=LimitsView(
            bytes_per_second=tunnel.rules.bytes_per_second,
            connections=_least(reservation.limits.connections, tunnel.options.limits.connections),
        ),
        passcode=tunnel.rules.passcode_hash is not None,
        proxy_protocol=tunnel.options.proxy_protocol,
        subdomains=tunnel.rules.subdomains,
        reserved=reservation.reserved,
        links=len(holder.links) if holder else 0,
        round_trip_ms=_round_trip(tunnel),
    )


def rates_view(tunnel: Tunnel) -> RatesView:
    """The present statistics of one tunnel."""
    stats = tunnel.stats
    return RatesView(
        id=tunnel.id,
        connections=stats.open,
        bytes_in=stats.total.bytes_in,
        bytes_out=stats.total.bytes_out,
        rate_in=round(stats.rate_in, 1),
        rate_out=round(stats.rate_out, 1),
        requests=stats.total.requests,
        last_byte_at=clock.to_text(stats.last_byte_at(clock.now())),
        round_trip_ms=_round_trip(tunnel),
    )


def reservation_view(
    tunnel: Tunnel, address: str, token_name: Callable[[str], str | None]
) -> ReservationView:
    """A reservation, without the options of its present client."""
    reservation = tunnel.reservation
    return ReservationView(
        id=reservation.id,
        kind=reservation.kind.value,
        name=reservation.name,
        port=reservation.port,
        address=address,
        token=token_name(reservation.lineage) if reservation.lineage else None,
        allow=[str(network) for network in reservation.allow],
        limits=LimitsView(**reservation.limits.model_dump()),
        passcode=reservation.passcode_hash is not None,
        subdomains=reservation.subdomains,
        created_at=clock.to_text(reservation.created_at),
        live=tunnel.live,
    )


def connection_log_row(connection: LoggedConnection) -> ConnectionLogRow:
    """One row of the connection log."""
    return ConnectionLogRow(**{name: getattr(connection, name) for name in ConnectionLogRow.model_fields})


def traffic_minute(minute: Minute) -> TrafficMinute:
    """One minute, by the moment it began."""
    counts = minute.counts
    return TrafficMinute(
        minute=clock.to_text(datetime.fromtimestamp(minute.minute * 60, UTC)),
        **{name: getattr(counts, name) for name in TrafficMinute.model_fields if name != "minute"},
    )


def _least(*numbers: int | None) -> int | None:
    return min((number for number in numbers if number is not None), default=None)


def _round_trip(tunnel: Tunnel) -> float | None:
    seconds = tunnel.holder.round_trip if tunnel.holder else None
    return None if seconds is None else round(seconds * 1000, 2)
