"""The access log of tunnels: who came, from where, how much moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from homeportd import clock
from homeportd.database import Database
from homeportd.journal import Journal

MAX_TEXT = 512  # characters of a path


@dataclass(frozen=True, slots=True)
class Visit:
    """A connection that began (`open`), ended (`close`) or was turned away (`refused`), or a `request` over
    HTTP, which may be turned away as well. `path` is without its query, which may hold secrets. `id` is 0 until
    it is on disk."""

    tunnel: str
    time: str
    event: str
    address: str
    port: int
    method: str | None = None
    path: str | None = None
    status: int | None = None
    bytes_in: int | None = None
    bytes_out: int | None = None
    duration_ms: int | None = None
    id: int = 0


class Visits(Journal[Visit]):
    """The visits of each tunnel. Who watches is told of connections; of requests, by who reads them."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "tunnel_visits", "tunnel", Visit, Visit)

    def record(
        self,
        tunnel: str,
        event: str,
        address: str,
        port: int,
        bytes_in: int | None = None,
        bytes_out: int | None = None,
        duration_ms: int | None = None,
    ) -> None:
        """Add a row about a connection; never waits, never fails."""
        self.append(
            Visit(
                tunnel,
                clock.to_text(clock.now()),
                event,
                address,
                port,
                bytes_in=bytes_in,
                bytes_out=bytes_out,
                duration_ms=duration_ms,
            )
        )

    async def add(self, rows: Sequence[Visit], inode: int, position: int) -> None:
        """Write requests, and how far Traefik's log was read for them, in one transaction."""
        async with self._database.transaction() as connection:
            await self.write(connection, rows)
            await connection.execute(
                "INSERT OR REPLACE INTO edge_log_position (id, inode, position) VALUES (1, ?, ?)",
                (inode, position),
            )

    async def position(self) -> tuple[int, int]:
        """(inode, position) of what `add` wrote last; zeros before."""
        row = await self._database.one("SELECT inode, position FROM edge_log_position")
        return (0, 0) if row is None else (int(str(row[0])), int(str(row[1])))
