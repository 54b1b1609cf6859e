"""The one SQLite database of an agent: opened, migrated, written in transactions.

Before a migration a copy is taken (`database_copies`); `database_restore` goes back to it.

A write is acknowledged when its transaction has reached the disk (WAL with synchronous=FULL), so that nothing
that was acknowledged is lost to a crash. https://www.sqlite.org/pragma.html#pragma_synchronous
"""

from __future__ import annotations

import asyncio
import os
import shlex
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.resources import files
from pathlib import Path

import aiosqlite

from homeportd.database_copies import DamagedError, take_copy
from homeportd.errors import HomeportError

BUSY_TIMEOUT_S = 10
RESERVE = 1024 * 1024  # bytes beside the database, given up when an end of a right finds the disk full


class DatabaseError(HomeportError):
    """The database cannot be used."""


def migrations() -> list[str]:
    """The SQL of each migration, in order; number N brings the schema from N-1 to N."""
    folder = files("homeportd") / "migrations"
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".sql"))
    return [(folder / name).read_text() for name in names]


def restore_command(database: Path) -> str:
    """The command that goes back to the newest copy which this release understands."""
    program = Path(sys.executable).with_name("homeportd")
    return f"{program} restore-database --data-dir {shlex.quote(str(database.parent))}"


class Database:
    """A connection to the database, used from one event loop; sqlite3 itself runs in a thread of aiosqlite."""

    def __init__(self, connection: aiosqlite.Connection, path: Path) -> None:
        self._connection = connection
        self._reserve = path.with_suffix(".reserve")
        self._has_reserve = False
        self._writing = asyncio.Lock()

    @classmethod
    async def open(cls, path: Path) -> Database:
        """Open and migrate, with a copy of an existing database first.

        Raises DatabaseError when the file is of a newer release or not a database, or cannot be copied.
        """
        connection = aiosqlite.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_S)
        # A thread that never ends would hold up the end of the process.
        connection._thread.daemon = True
        await connection
        database = cls(connection, path)
        try:
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "trusted_schema=OFF"):
                await connection.execute(f"PRAGMA {pragma}")
            await asyncio.to_thread(path.chmod, 0o600)
            await database._migrate(path)
            await database.keep_reserve()
        except aiosqlite.DatabaseError as error:
            await connection.close()
            raise DatabaseError(
                f"{path} is not usable: {error}", "restore a backup of it, or move it away"
            ) from error
        except BaseException:
            await connection.close()
            raise
        return database

    async def _migrate(self, path: Path) -> None:
        steps = migrations()
        (version,) = await self.one("PRAGMA user_version") or (0,)
        if not isinstance(version, int) or version > len(steps):
            raise DatabaseError(
                f"{path} was written by a newer release (schema {version}, this one knows {len(steps)})",
                f"install that release again, or go back to the copy from before it: {restore_command(path)}",
            )
        if 0 < version < len(steps):
            await self._copy(path, version)
        for number, script in enumerate(steps[version:], start=version + 1):
            await self._connection.executescript(
                f"BEGIN IMMEDIATE;{script};PRAGMA user_version={number};COMMIT;"
            )

    async def _copy(self, path: Path, version: int) -> None:
        try:
            await asyncio.to_thread(take_copy, path, version)
        except DamagedError as error:
            raise DatabaseError(
                f"{error}; it was not migrated", "restore a backup of it, or move it away"
            ) from error
        except (OSError, sqlite3.Error) as error:
            size = await asyncio.to_thread(lambda: -(-path.stat().st_size // 1_000_000))
            raise DatabaseError(
                f"{path} was not migrated, since no copy of it could be taken: {error}",
                f"let {path.parent} have {size} MB of room and be writable, then start the agent again",
            ) from error

    async def one(self, sql: str, *values: object) -> tuple[object, ...] | None:
        """The first row, or None."""
        async with self._connection.execute(sql, values) as cursor:
            row = await cursor.fetchone()
        return None if row is None else tuple(row)

    async def all(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        """Every row; the caller bounds it with LIMIT."""
        async with self._connection.execute(sql, values) as cursor:
            return [tuple(row) for row in await cursor.fetchall()]

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[aiosqlite.Connection]:
        """A write transaction: committed to disk when the block ends, undone when the block raises."""
        async with self._writing:
            try:
                # Who is cancelled here does not wait for the thread any more, which begins all the same.
                await self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                await self._connection.commit()
            except BaseException:
                await self._connection.rollback()
                raise

    async def keep_reserve(self) -> None:
        """Make the file of RESERVE bytes, where it is missing and the disk has room for twice as much."""
        if not self._has_reserve:
            self._has_reserve = await asyncio.to_thread(_write_reserve, self._reserve)

    async def free_reserve(self) -> None:
        """Give up the reserve, so that a small write finds room on a full disk."""
        self._has_reserve = False
        with suppress(OSError):
            await asyncio.to_thread(self._reserve.unlink, missing_ok=True)

    async def close(self) -> None:
        """Close the file; nothing acknowledged is still in memory."""
        await self._connection.close()


def _write_reserve(path: Path) -> bool:
    """Whether the reserve is there now."""
    try:
        if path.stat().st_size == RESERVE:
            return True
    except FileNotFoundError:
        pass
    except OSError:
        return False
    try:
        system = os.statvfs(path.parent)
        if system.f_bavail * system.f_frsize < 2 * RESERVE:
            return False
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(os.urandom(RESERVE))  # neither a hole nor compressed to nothing
    except OSError:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        return False
    return True
