"""The connection log of tunnels: connections and requests of visitors, from which address, how many bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from homeportd import clock
from homeportd.database import Database
from homeportd.journal import Journal

MAX_TEXT = 512  # characters of a path


@dataclass(frozen=True, slots=True)
class LoggedConnection:
    """A row: a connection that began (`open`), ended (`close`) or was refused (`refused`), or a `request` of HTTP.

    `path` is without its query, which may hold secrets. `id` is 0 until the row is on disk.
    """

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


class ConnectionLog(Journal[LoggedConnection]):
    """The rows of each tunnel. `on_row` is called for connections; requests come by `add`."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "tunnel_visits", "tunnel", LoggedConnection, LoggedConnection)

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
        """Add a row about a connection. Never waits, never fails."""
        self.append(
            LoggedConnection(
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

    async def add(self, rows: Sequence[LoggedConnection], inode: int, position: int) -> None:
        """Write requests, and the position up to which Traefik's log was read, in one transaction."""
        async with self._database.transaction() as connection:
            await self.write(connection, rows)
            await connection.execute(
                "INSERT OR REPLACE INTO edge_log_position (id, inode, position) VALUES (1, ?, ?)",
                (inode, position),
            )

    async def position(self) -> tuple[int, int]:
        """(inode, position) that `add` wrote last; zeros before."""
        row = await self._database.one("SELECT inode, position FROM edge_log_position")
        return (0, 0) if row is None else (int(str(row[0])), int(str(row[1])))
