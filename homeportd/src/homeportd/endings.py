"""Ends of rights on their way to the disk.

A right ends in memory first, at once. Its end is then written: where the disk is full, into the room that the database
keeps in reserve for this; where that fails too, again and again until the disk takes it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from typing import Final

from homeportd.database import Database
from homeportd.errors import Problem

SWEEP_S: Final = 2.0  # between two attempts to write what the disk has not taken

UNWRITTEN: Final = (sqlite3.Error, OSError)
Write = Callable[[], Awaitable[None]]


class Endings:
    """Writes that end rights, by a key of the right: a later write of the same key takes the place of an earlier one.

    A key names a right that there was, so that there are never more of them than rights.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._unwritten: dict[str, Write] = {}

    async def write(self, key: str, ended: str, action: Write) -> None:
        """Write the end of a right, which has ended in memory. `ended`: the sentence that says so.

        Raises Problem 503 where the disk does not take it: `sweep` goes on trying.
        """
        self._unwritten[key] = action
        try:
            await self._attempt(key, action)
        except UNWRITTEN:
            await self._database.free_reserve()
            try:
                await self._attempt(key, action)
            except UNWRITTEN as error:
                raise Problem(
                    503,
                    f"{ended}, but the disk did not take it ({error}): if the agent restarts before it does,"
                    " what ended holds again",
                    "make room on the disk of data_dir: the agent tries again by itself until it is written",
                ) from error

    async def sweep(self) -> None:
        """Try again what is not written yet; once all is, make the reserve again. Raises sqlite3.Error, OSError."""
        for key, action in list(self._unwritten.items()):
            await self._attempt(key, action)
        await self._database.keep_reserve()

    async def _attempt(self, key: str, action: Write) -> None:
        await action()
        if self._unwritten.get(key) is action:
            del self._unwritten[key]
