"""Ownership of names and ports: whether a client may have one, and how many there may be. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from homeportd.edge import names
from homeportd.edge.connections.client import Client
from homeportd.edge.model import Refused, Reservation
from homeportd.edge.registry import Registry
from homeportd.edge.tunnel import Tunnel
from homeportd.tunnels import protocol
from homeportd.tunnels.protocol import Kind, Open, Refusal

MAX_TUNNELS: Final = 8192
MAX_OF_LINEAGE: Final = 4096  # so that one token leaves some for the others


def claimed(tunnel: Tunnel, client: Client, message: Open, alive: Callable[[str], bool]) -> Reservation:
    """The tunnel's reservation as this client's; `alive` says whether a lineage has a token left. Raises Refused."""
    reservation = tunnel.reservation
    owner = reservation.lineage
    web = reservation.kind is Kind.HTTP
    if owner not in (None, client.lineage) and alive(str(owner)):
        what = (
            f"the name {reservation.label}" if web else f"{reservation.kind.upper()} port {reservation.label}"
        )
        raise Refused(
            Refusal.NAME_TAKEN if web else Refusal.PORT_TAKEN,
            f"{what} belongs to another token",
            "choose another, or let its owner give it up: homeport reservations remove",
        )
    newer = tunnel.holder if tunnel.live else None
    if message.again and newer is not None and newer is not client:
        # A laptop that wakes up must not take back what its owner has started elsewhere since.
        raise Refused(
            Refusal.TAKEN_OVER,
            f"a newer client, on {newer.name}, has {reservation.label} since this one was away",
            "end that one, or start this one again to take it back",
        )
    # The client's own, of no owner, or of a token that is gone: names are never stuck.
    return replace(reservation, lineage=client.lineage, reserved=reservation.reserved or message.reserve)


def check_client(client: Client, tunnel: Tunnel | None) -> None:
    """Refuse a client that has gone since it asked, or has as many tunnels as it may. Raises Refused."""
    if not client.links:  # its tunnels would be held for ever
        raise Refused(Refusal.LIMIT, "the client has gone", "ask again")
    most = protocol.MAX_TUNNELS
    if len(client.tunnels) >= most and (tunnel is None or tunnel.id not in client.tunnels):
        raise Refused(Refusal.LIMIT, f"this client has {most} tunnels", "close one, or use another")


def orphaned(reservation: Reservation, alive: Callable[[str], bool]) -> bool:
    """Whether nothing keeps a reservation: it is not reserved, and its token is gone."""
    return not reservation.reserved and reservation.lineage is not None and not alive(reservation.lineage)


def check_new(registry: Registry, label: str | None, lineage: str | None) -> None:
    """Refuse a name or port that is not there yet: of a port of another token's workstation, or when this edge, or the
    token, has as many as it may. Raises Refused."""
    match = names.PORT_OF_WORKSTATION.fullmatch(label or "")
    workstation = registry.called(Kind.HTTP, match[1]) if match else None
    if workstation is not None and workstation.workstation and workstation.reservation.lineage != lineage:
        raise Refused(
            Refusal.NAME_TAKEN,
            f"the name {label} belongs to a port of the workstation {workstation.reservation.label}",
            "choose another",
        )
    if len(registry) >= MAX_TUNNELS:
        raise Refused(Refusal.LIMIT, f"this edge has {MAX_TUNNELS} names and ports", "remove reservations")
    if lineage is None or len(registry) < MAX_OF_LINEAGE:
        return
    if sum(tunnel.reservation.lineage == lineage for tunnel in registry) >= MAX_OF_LINEAGE:
        raise Refused(
            Refusal.LIMIT,
            f"this token has {MAX_OF_LINEAGE} names and ports",
            "remove some: homeport reservations remove",
        )
