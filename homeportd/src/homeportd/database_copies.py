"""Copies of the database file beside it: taken before a migration, for the way back to an older release.

`homeport.db.schema-3` is the database as it was when schema 3 was left. Copies of newer schemas than the one
that is being copied belong to an upgrade that was undone since, so they are removed: of two copies, that of the newer
schema is always the younger one. Everything here blocks; the agent calls it in a thread.
"""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

KEPT_COPIES = 3  # schemas whose newest copy stays
BUSY_S = 10  # seconds that another process may hold up a read


class DamagedError(Exception):
    """The database, or the copy of it, does not pass SQLite's quick check."""


@dataclass(frozen=True)
class Copy:
    """A copy of the database, and its schema."""

    schema: int
    path: Path


def copies(database: Path) -> list[Copy]:
    """The copies of a database, the oldest first; what is no regular file is none."""
    name = re.compile(re.escape(database.name) + r"\.schema-([1-9][0-9]{0,5})")
    found = [
        Copy(int(match[1]), entry)
        for entry in database.parent.iterdir()
        if (match := name.fullmatch(entry.name)) and entry.is_file() and not entry.is_symlink()
    ]
    return sorted(found, key=lambda copy: copy.schema)


def take_copy(database: Path, schema: int) -> Path:
    """Copy a database of this schema, and remove the copies that are not needed any more; the copy's path.

    Raises OSError, sqlite3.Error and DamagedError; the copies are then as they were.
    """
    target = database.with_name(f"{database.name}.schema-{schema}")
    copy_database(database, target)
    known = copies(database)
    older = [copy for copy in known if copy.schema <= schema]
    for copy in [*(copy for copy in known if copy.schema > schema), *older[:-KEPT_COPIES]]:
        copy.path.unlink(missing_ok=True)
    return target


def copy_database(source: Path, target: Path) -> None:
    """Make `target` a copy of `source`: one file of mode 0600, checked and on the disk, or as it was before.

    The source may be in use. Raises OSError, sqlite3.Error and DamagedError.
    """
    partial = target.with_name(f"{target.name}.partial")
    _remove(partial)
    try:
        # Made here, not by SQLite, which would follow a link and apply the umask alone.
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with closing(connect(source)) as reader, closing(connect(partial)) as writer:
            reader.backup(writer)
            writer.execute("PRAGMA journal_mode=DELETE")  # nothing of it is in a second file
            (answer,) = writer.execute("PRAGMA quick_check(1)").fetchone()
        if answer != "ok":
            raise DamagedError(f"{source} is damaged: {answer}")
        sync(partial)
        partial.replace(target)
        sync(target.parent)
    except BaseException:
        with suppress(OSError):  # the first error is the one to raise
            _remove(partial)
        raise


def connect(path: Path) -> sqlite3.Connection:
    """Open an existing database for statements that commit themselves; raises sqlite3.Error."""
    # The path is quoted, since a name may have a ? or # in it.
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_S, isolation_level=None
    )


def schema_of(path: Path) -> int:
    """The schema of a database; raises sqlite3.Error when it is none."""
    with closing(connect(path)) as connection:
        (schema,) = connection.execute("PRAGMA user_version").fetchone()
    return int(schema)


def sync(path: Path) -> None:
    """Bring a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    """Remove what an interrupted copy left, with SQLite's files beside it."""
    for ending in ("", "-journal", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
