"""The access log of tunnels: who came, from where, how much moved. Batched, pruned by age and by count."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from datetime import timedelta

from homeportd import clock
from homeportd.database import Database

KEPT_DAYS = 30
KEPT_ROWS = 10_000  # a tunnel
PENDING = 20_000  # rows waiting for the disk; the oldest are dropped, and counted, beyond it
FLUSH_S = 0.5
PRUNE_S = 300
MAX_TEXT = 512  # characters of a path

_COLUMNS = "tunnel, time, event, address, port, method, path, status, bytes_in, bytes_out, duration_ms"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Visit:
    """A connection that began (`open`), ended (`close`) or was turned away (`refused`), or a `request` over
    HTTP. `path` is without its query, which may hold secrets. `id` is 0 until it is on disk."""

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


class Visits:
    """Takes rows without waiting."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pending: deque[Visit] = deque()
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._callbacks: list[Callable[[Visit], None]] = []
        self.dropped = 0

    def on_visit(self, callback: Callable[[Visit], None]) -> None:
        """Call back with each row about a connection."""
        self._callbacks.append(callback)

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name="visits")

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
        if len(self._pending) >= PENDING:
            self._pending.popleft()
            self.dropped += 1
        visit = Visit(
            tunnel,
            clock.to_text(clock.now()),
            event,
            address,
            port,
            bytes_in=bytes_in,
            bytes_out=bytes_out,
            duration_ms=duration_ms,
        )
        self._pending.append(visit)
        for callback in self._callbacks:
            callback(visit)

    async def add(self, rows: Sequence[Visit], inode: int, position: int) -> None:
        """Write requests, and how far Traefik's log was read for them, in one transaction."""
        async with self._database.transaction() as connection:
            await connection.executemany(_INSERT, [astuple(row)[:-1] for row in rows])
            await connection.execute(
                "INSERT OR REPLACE INTO edge_log_position (id, inode, position) VALUES (1, ?, ?)",
                (inode, position),
            )

    async def position(self) -> tuple[int, int]:
        """(inode, position) of what `add` wrote last; zeros before."""
        row = await self._database.one("SELECT inode, position FROM edge_log_position")
        return (0, 0) if row is None else (int(str(row[0])), int(str(row[1])))

    async def list(self, tunnel: str, limit: int, before: int | None) -> list[Visit]:
        """The newest rows of a tunnel, at most `limit`, with ids below `before`."""
        await self.flush()
        rows = await self._database.all(
            f"SELECT {_COLUMNS}, id FROM tunnel_visits WHERE tunnel = ? AND id < ? ORDER BY id DESC LIMIT ?",  # noqa: S608 - constants
            tunnel,
            before if before is not None else 2**63 - 1,
            limit,
        )
        return [Visit(*row) for row in rows]  # type: ignore[arg-type]  # the schema is STRICT

    async def flush(self) -> None:
        """Write what is pending."""
        async with self._writing:
            if not self._pending:
                return
            batch = list(self._pending)
            async with self._database.transaction() as connection:
                await connection.executemany(_INSERT, [astuple(row)[:-1] for row in batch])
            for _ in range(min(len(batch), len(self._pending))):
                self._pending.popleft()

    async def prune(self) -> None:
        """Delete rows that are too old or too many."""
        oldest = clock.to_text(clock.now() - timedelta(days=KEPT_DAYS))
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM tunnel_visits WHERE time < ?", (oldest,))
            await connection.execute(
                "DELETE FROM tunnel_visits WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER"
                " (PARTITION BY tunnel ORDER BY id DESC) AS place FROM tunnel_visits) WHERE place > ?)",
                (KEPT_ROWS,),
            )

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        next_prune = loop.time()
        while True:
            try:
                await self.flush()
                if loop.time() >= next_prune:
                    next_prune = loop.time() + PRUNE_S
                    await self.prune()
            except sqlite3.Error as error:
                # A full disk must not stop tunnels; the rows wait, bounded, for better times.
                _log.warning("the access log of tunnels could not be written: %s", error)
            await asyncio.sleep(FLUSH_S)

    async def close(self) -> None:
        """Write the rest and stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.flush()


_INSERT = f"INSERT INTO tunnel_visits ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?)"  # noqa: S608 - constants
