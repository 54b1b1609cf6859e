"""A log of rows in a table of the database: taken without waiting, written in batches, pruned by age and by count."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import astuple, fields
from datetime import timedelta
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import aiosqlite

from homeportd import clock
from homeportd.database import Database
from homeportd.signal import Signal
from homeportd.tasks import TaskSet

KEPT_DAYS = 30
KEPT_ROWS = 10_000  # a subject: a port, a tunnel
PENDING = 20_000  # rows waiting for the disk; the oldest are dropped, and counted, beyond it
FLUSH_S = 0.5
PRUNE_S = 300

_log = logging.getLogger(__name__)


class Row(Protocol):
    """A dataclass whose fields are the table's columns; the last is `id`, 0 until the row is on disk."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


R = TypeVar("R", bound=Row)


class Journal(Generic[R]):
    """The rows of one table, which has the columns `id`, `time` (ISO 8601) and `subject`."""

    def __init__(
        self, database: Database, table: str, subject: str, row: type[R], read: Callable[..., R]
    ) -> None:
        """`read` makes a row of its columns' values, in order."""
        self._database = database
        self._table = table
        self._subject = subject
        self._read = read
        columns = [field.name for field in fields(row)][:-1]
        self._columns = ", ".join(columns)
        marks = ", ".join("?" * len(columns))
        self._insert = f"INSERT INTO {table} ({self._columns}) VALUES ({marks})"  # noqa: S608 - names of our own
        self._pending: deque[R] = deque()
        self._writing = asyncio.Lock()
        self._tasks = TaskSet()
        self.appended: Signal[[R]] = Signal()  # a row, before it is on disk
        self.dropped = 0

    def start(self) -> None:
        """Begin to write."""
        self._tasks.spawn(self._run(), self._table)

    def append(self, row: R) -> None:
        """Add a row; never waits, never fails."""
        self._pending.append(row)
        self._bound()
        self.appended.emit(row)

    async def newest(self, subject: object, limit: int, before: int | None) -> list[R]:
        """The newest rows of a subject, at most `limit`, with ids below `before`."""
        await self.flush()
        rows = await self._database.all(
            f"SELECT {self._columns}, id FROM {self._table}"  # noqa: S608 - names of our own
            f" WHERE {self._subject} = ? AND id < ? ORDER BY id DESC LIMIT ?",
            subject,
            before if before is not None else 2**63 - 1,
            limit,
        )
        return [self._read(*row) for row in rows]

    async def flush(self) -> None:
        """Write what is pending. Raises sqlite3.Error; then it all is pending still."""
        async with self._writing:
            if not self._pending:
                return
            batch = list(self._pending)
            self._pending.clear()
            try:
                async with self._database.transaction() as connection:
                    await self.write(connection, batch)
            except BaseException:
                self._pending.extendleft(reversed(batch))
                self._bound()
                raise

    async def write(self, connection: aiosqlite.Connection, rows: Iterable[R]) -> None:
        """Insert rows in a transaction of the caller's."""
        await connection.executemany(self._insert, (astuple(row)[:-1] for row in rows))

    async def prune(self) -> None:
        """Delete rows that are too old or too many."""
        oldest = clock.to_text(clock.now() - timedelta(days=KEPT_DAYS))
        table, subject = self._table, self._subject
        async with self._database.transaction() as connection:
            await connection.execute(f"DELETE FROM {table} WHERE time < ?", (oldest,))  # noqa: S608
            await connection.execute(
                f"DELETE FROM {table} WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER"  # noqa: S608
                f" (PARTITION BY {subject} ORDER BY id DESC) AS rank FROM {table}) WHERE rank > ?)",
                (KEPT_ROWS,),
            )

    async def close(self) -> None:
        """Write the rest and stop."""
        async with self._writing:  # what is cut off while it is committed would be written twice
            self._tasks.cancel()
        await self._tasks.close()
        await self.flush()

    def _bound(self) -> None:
        while len(self._pending) > PENDING:
            self._pending.popleft()
            self.dropped += 1

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
                # A full disk must stop nobody; the rows wait, bounded, for better times.
                _log.warning("%s could not be written: %s", self._table, error)
            await asyncio.sleep(FLUSH_S)
