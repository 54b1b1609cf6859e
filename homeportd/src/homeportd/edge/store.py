"""The table `tunnels`: what is reserved, and names and ports in use, so that a crash of the edge loses none."""

from __future__ import annotations

import json
from collections.abc import Callable

from homeportd import clock
from homeportd.database import Database
from homeportd.edge.model import Refused, Reservation
from homeportd.endings import Endings
from homeportd.networks import parse_network
from homeportd.tunnels.protocol import Kind, Limits


class ReservationStore:
    """Reads all reservations at start, then writes each change; the service keeps them in memory."""

    def __init__(self, database: Database, endings: Endings) -> None:
        self._database = database
        self._endings = endings

    async def all(self) -> list[Reservation]:
        """Every reservation, oldest first."""
        rows = await self._database.all(
            "SELECT id, kind, name, port, lineage, reserved, allow, bytes_per_second, connections,"
            " passcode_hash, generation, created_at, subdomains FROM tunnels ORDER BY created_at, id"
        )
        return [_reservation(*row) for row in rows]

    async def save(self, reservation: Reservation) -> None:
        """Insert or replace a reservation."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "INSERT INTO tunnels (id, kind, name, port, lineage, reserved, allow, bytes_per_second,"
                " connections, passcode_hash, generation, created_at, subdomains)"
                " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"
                " ON CONFLICT (id) DO UPDATE SET lineage = excluded.lineage, reserved = excluded.reserved,"
                " allow = excluded.allow, bytes_per_second = excluded.bytes_per_second,"
                " connections = excluded.connections, passcode_hash = excluded.passcode_hash,"
                " generation = excluded.generation, subdomains = excluded.subdomains",
                (
                    reservation.id,
                    reservation.kind.value,
                    reservation.name,
                    reservation.port,
                    reservation.lineage,
                    int(reservation.reserved),
                    json.dumps([str(network) for network in reservation.allow]),
                    reservation.limits.bytes_per_second,
                    reservation.limits.connections,
                    reservation.passcode_hash,
                    reservation.generation,
                    clock.to_text(reservation.created_at),
                    int(reservation.subdomains),
                ),
            )

    async def save_held(self, reservation_id: str, held: Callable[[str], Reservation | None]) -> None:
        """Write a reservation whose stricter rules hold already, as `held` gives it when the disk takes it.

        Raises Problem 503: the rules hold, and the disk does not know.
        """

        async def write() -> None:
            try:
                reservation = held(reservation_id)
            except Refused as error:  # its route cannot be written either
                raise OSError(error.detail) from error
            if reservation is not None:
                await self.save(reservation)

        ended = "the stricter rules hold"
        await self._endings.write(f"rules of tunnel {reservation_id}", ended, write)

    async def delete(self, reservation_id: str) -> None:
        """Remove a reservation; harmless when it is not there."""
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM tunnels WHERE id = ?", (reservation_id,))


def _reservation(*row: object) -> Reservation:
    id_, kind, name, port, lineage, reserved, allow, rate, connections, passcode, generation, *rest = row
    created, subdomains = rest
    return Reservation(
        id=str(id_),
        kind=Kind(str(kind)),
        name=None if name is None else str(name),
        port=None if port is None else int(str(port)),
        lineage=None if lineage is None else str(lineage),
        reserved=bool(reserved),
        created_at=clock.from_text(str(created)),
        allow=tuple(map(parse_network, json.loads(str(allow)))),
        limits=Limits(
            bytes_per_second=None if rate is None else int(str(rate)),
            connections=None if connections is None else int(str(connections)),
        ),
        passcode_hash=None if passcode is None else str(passcode),
        generation=int(str(generation)),
        subdomains=bool(subdomains),
    )
