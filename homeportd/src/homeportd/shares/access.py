"""The access log: who asked for a shared port, and what was decided. Pruned by age and by count."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from homeportd import clock
from homeportd.database import Database
from homeportd.shares.model import Decision

KEPT_DAYS = 30
KEPT_ROWS = 10_000  # a port
PENDING = 20_000  # rows waiting for the disk; the oldest are dropped, and counted, beyond it
FLUSH_S = 0.5
PRUNE_S = 300
MAX_TEXT = 512  # characters of a path or a user agent

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Access:
    """One decision; `path` is without its query, which may hold secrets. `id` is 0 until it is on disk."""

    port: int
    time: str
    address: str
    user_agent: str
    method: str
    path: str
    decision: Decision
    id: int = 0


class AccessLog:
    """Takes rows without waiting, writes them in batches."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pending: deque[Access] = deque()
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._callbacks: list[Callable[[Access], None]] = []
        self.dropped = 0

    def start(self) -> None:
        """Begin to write."""
        self._task = asyncio.create_task(self._run(), name="access log")

    def on_access(self, callback: Callable[[Access], None]) -> None:
        """Call back with each row as it comes."""
        self._callbacks.append(callback)

    def record(
        self, *, port: int, address: str, user_agent: str, method: str, path: str, decision: Decision
    ) -> None:
        """Add a row; never waits, never fails."""
        access = Access(
            port=port,
            time=clock.to_text(clock.now()),
            address=address,
            user_agent=user_agent[:MAX_TEXT],
            method=method[:16],
            path=path.partition("?")[0][:MAX_TEXT],
            decision=decision,
        )
        if len(self._pending) >= PENDING:
            self._pending.popleft()
            self.dropped += 1
        self._pending.append(access)
        for callback in self._callbacks:
            callback(access)

    async def list(self, port: int, limit: int, before: int | None) -> list[Access]:
        """The newest rows of a port, at most `limit`, with ids below `before`."""
        await self.flush()
        rows = await self._database.all(
            "SELECT port, time, address, user_agent, method, path, decision, id FROM accesses"
            " WHERE port = ? AND id < ? ORDER BY id DESC LIMIT ?",
            port,
            before if before is not None else 2**63 - 1,
            limit,
        )
        return [_access(*row) for row in rows]

    async def flush(self) -> None:
        """Write what is pending."""
        async with self._writing:
            if not self._pending:
                return
            batch = list(self._pending)
            async with self._database.transaction() as connection:
                await connection.executemany(
                    "INSERT INTO accesses (port, time, address, user_agent, method, path, decision)"
                    " VALUES (?,?,?,?,?,?,?)",
                    [
                        (a.port, a.time, a.address, a.user_agent, a.method, a.path, a.decision.value)
                        for a in batch
                    ],
                )
            for _ in range(min(len(batch), len(self._pending))):
                self._pending.popleft()

    async def prune(self) -> None:
        """Delete rows that are too old or too many."""
        oldest = clock.to_text(clock.now() - timedelta(days=KEPT_DAYS))
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM accesses WHERE time < ?", (oldest,))
            await connection.execute(
                "DELETE FROM accesses WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER"
                " (PARTITION BY port ORDER BY id DESC) AS place FROM accesses) WHERE place > ?)",
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
                # A full disk must not stop decisions; the rows wait, bounded, for better times.
                _log.warning("the access log could not be written: %s", error)
            await asyncio.sleep(FLUSH_S)

    async def close(self) -> None:
        """Write the rest and stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.flush()


def _access(port: Any, time: Any, address: Any, user_agent: Any, *rest: Any) -> Access:
    method, path, decision, id_ = rest
    return Access(port, time, address, user_agent, method, path, Decision(decision), id_)
