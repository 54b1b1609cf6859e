"""Rollups: the counters of each tunnel by the minute, on disk; and the ticks of live rates, each second."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from time import monotonic, time
from typing import Protocol

from homeportd import clock
from homeportd.database import Database
from homeportd.edge.traffic.stats import Counts, Stats
from homeportd.tasks import TaskSet

TICK_S = 1.0
LATE_S = 0.01  # after each whole second, since timers have milliseconds
KEPT_MINUTES = 14 * 24 * 60
KEPT_ROWS = 2_000_000  # of all tunnels
PRUNE_EVERY = 60  # minutes

_COLUMNS = tuple(column.name for column in fields(Counts))
_NAMES = ", ".join(_COLUMNS)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute of a tunnel in which a counter rose; `minute` counts from 1970, UTC."""

    minute: int
    counts: Counts


class Counted(Protocol):
    """A tunnel, as far as its rollups need it."""

    stats: Stats

    @property
    def id(self) -> str:
        """The id of its reservation."""


class Rollups:
    """Writes the minutes of the tunnels that `tunnels()` gives, and ticks their statistics."""

    def __init__(self, database: Database, tunnels: Callable[[], Iterable[Counted]]) -> None:
        self._database = database
        self._tunnels = tunnels
        self._minute = _present()  # the minute of what is not written yet
        self._writing = asyncio.Lock()
        self._tasks = TaskSet()

    def start(self) -> None:
        """Begin to tick."""
        self._tasks.spawn(self._run(), "tunnel figures")

    async def recall(self) -> None:
        """Set when each tunnel's last byte moved, from the disk: a restarted agent does not show "never"."""
        rows = await self._database.all(
            "SELECT tunnel, max(at) FROM ("
            " SELECT tunnel, minute * 60 AS at FROM tunnel_minutes WHERE bytes_in + bytes_out > 0"
            " UNION ALL SELECT tunnel, CAST(strftime('%s', time) AS INTEGER) FROM tunnel_visits"
            " WHERE bytes_in > 0 OR bytes_out > 0) GROUP BY tunnel"
        )
        moved = {str(name): datetime.fromtimestamp(int(str(at)), UTC) for name, at in rows}
        for tunnel in self._tunnels():
            if tunnel.id in moved:
                tunnel.stats.recall(moved[tunnel.id])

    async def list(self, tunnel: str, minutes: int) -> list[Minute]:
        """The last `minutes` of a tunnel, the present one too, oldest first; minutes without traffic are left out."""
        rows = await self._database.all(
            f"SELECT minute, {_NAMES} FROM tunnel_minutes"  # noqa: S608 - constants
            " WHERE tunnel = ? AND minute > ? ORDER BY minute",
            tunnel,
            _present() - minutes,
        )
        return [Minute(int(str(row[0])), Counts(*(int(str(x)) for x in row[1:]))) for row in rows]

    async def write(self) -> None:
        """Add the counters' rise since the last call to its minute. Raises sqlite3.Error; then nothing is lost."""
        async with self._writing:
            fresh = {tunnel: tunnel.stats.total.copy() for tunnel in self._tunnels()}
            rows = [
                (tunnel.id, self._minute, *(getattr(more, name) for name in _COLUMNS))
                for tunnel, total in fresh.items()
                if (more := total.minus(tunnel.stats.rolled))
            ]
            if not rows:
                return
            added = ", ".join(f"{name} = {name} + excluded.{name}" for name in _COLUMNS)
            async with self._database.transaction() as connection:
                await connection.executemany(
                    f"INSERT INTO tunnel_minutes (tunnel, minute, {_NAMES})"  # noqa: S608 - constants
                    f" VALUES (?, ?{', ?' * len(_COLUMNS)})"
                    f" ON CONFLICT (tunnel, minute) DO UPDATE SET {added}",
                    rows,
                )
            for tunnel, total in fresh.items():
                tunnel.stats.rolled = total

    async def prune(self) -> None:
        """Delete minutes that are too old or too many."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "DELETE FROM tunnel_minutes WHERE minute < ?", (_present() - KEPT_MINUTES,)
            )
            await connection.execute(
                "DELETE FROM tunnel_minutes WHERE minute <= coalesce("
                "(SELECT minute FROM tunnel_minutes ORDER BY minute DESC LIMIT 1 OFFSET ?), -1)",
                (KEPT_ROWS,),
            )

    async def _run(self) -> None:
        before, pruned = monotonic(), 0
        while True:
            # Just after each whole second, so that a minute ends with the minute.
            await asyncio.sleep(TICK_S - time() % TICK_S + LATE_S)
            now, moment = monotonic(), clock.now()
            for tunnel in self._tunnels():
                tunnel.stats.tick(moment, now - before)
            before = now
            if _present() == self._minute:
                continue
            try:
                try:
                    await self.write()
                finally:
                    # Before anything else is awaited: what moves from now on belongs to this minute.
                    self._minute = _present()
                if self._minute - pruned >= PRUNE_EVERY:
                    pruned = self._minute
                    await self.prune()
            except sqlite3.Error as error:
                _log.warning("the minutes of tunnels could not be written: %s", error)

    async def close(self) -> None:
        """Write the rest and stop."""
        async with self._writing:  # rows whose commit is cut off would be added twice
            self._tasks.cancel()
        await self._tasks.close()
        await self.write()


def _present() -> int:
    return int(time() // 60)
