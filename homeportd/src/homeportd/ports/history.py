"""The history of ports: when something first and last listened on each number."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime

from homeportd import clock
from homeportd.database import Database
from homeportd.ports.model import Change
from homeportd.ports.service import Ports

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sighting:
    """A number that was listened on, and the path of the repo that its program ran in last."""

    port: int
    repo: str | None
    first_seen: datetime
    last_seen: datetime


class PortHistory:
    """Follows the ports from `start` on. There is a row a number, so it needs no bound of its own."""

    def __init__(self, database: Database, ports: Ports) -> None:
        self._database = database
        self._ports = ports
        self._rows: dict[int, Sighting] = {}
        self._unwritten: set[int] = set()
        self._writing = asyncio.Lock()

    async def start(self) -> None:
        """Read what is known, and take in the ports of now. Raises sqlite3.Error."""
        for port, repo, first, last in await self._database.all(
            "SELECT port, repo, first_seen, last_seen FROM ports"
        ):
            number = int(str(port))
            moments = clock.from_text(str(first)), clock.from_text(str(last))
            self._rows[number] = Sighting(number, None if repo is None else str(repo), *moments)
        self._ports.changed.subscribe(self._changed)
        self._see_all()

    def get(self, port: int) -> Sighting | None:
        """The history of a number; one that is listened on now was last seen now."""
        found = self._ports.get(port)
        if found is not None:
            self._see(port, found.programs[0].repo)
        return self._rows.get(port)

    async def write(self) -> None:
        """Write what is new. Raises sqlite3.Error; then it is still to be written."""
        self._see_all()
        async with self._writing:
            numbers, self._unwritten = self._unwritten, set()
            if not numbers:
                return
            try:
                async with self._database.transaction() as connection:
                    await connection.executemany(
                        "INSERT OR REPLACE INTO ports (port, repo, first_seen, last_seen) VALUES (?,?,?,?)",
                        [
                            (row.port, row.repo, clock.to_text(row.first_seen), clock.to_text(row.last_seen))
                            for row in map(self._rows.__getitem__, sorted(numbers))
                        ],
                    )
            except BaseException:
                self._unwritten |= numbers
                raise

    async def close(self) -> None:
        """Write what is new, where the disk takes it."""
        try:
            await self.write()
        except sqlite3.Error as error:
            _log.warning("the history of ports could not be written: %s", error)

    def _see_all(self) -> None:
        for port in self._ports.snapshot().values():
            self._see(port.port, port.programs[0].repo)

    def _changed(self, change: Change) -> None:
        self._see(change.port.port, change.port.programs[0].repo if change.port.programs else None)

    def _see(self, number: int, repo: str | None) -> None:
        now = clock.now()
        before = self._rows.get(number)
        self._rows[number] = (
            Sighting(number, repo, now, now)
            if before is None
            else replace(before, repo=repo or before.repo, last_seen=now)
        )
        self._unwritten.add(number)
