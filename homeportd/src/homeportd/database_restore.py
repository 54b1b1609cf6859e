"""Going back to an older release: its database is the copy that was taken before the newer one migrated.

The newer file is kept beside it, and the result says what only that file has. The database is replaced by one
rename, so that a crash at any point leaves a database that opens: the newer or the older one, never none.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from homeportd.data_lock import data_lock
from homeportd.database import DatabaseError
from homeportd.database_changes import Changes, changes, withdraw, words
from homeportd.database_copies import DamagedError, connect, copies, copy_database, schema_of, sync

DATABASE = "homeport.db"
KEPT_NEWER = 10  # databases that stay beside the one in use


@dataclass(frozen=True)
class Restored:
    """The result of `restore`: `schema` became `to`, or would, with the copy `source` taken at `taken_at`.

    `missing`: what the replaced database has and the copy has not. `withdrawn`: rows by table that were left out of
    the copy. `kept`: the path of the replaced database, None where nothing was changed. `chosen`: the caller named
    `source`, so what else the source has is nothing that was undone.
    """

    schema: int
    to: int
    source: Path
    taken_at: datetime
    missing: Changes
    withdrawn: dict[str, int]
    kept: Path | None
    chosen: bool = False

    def text(self) -> str:
        """For people, in sentences."""
        moment = f"{self.taken_at:%Y-%m-%d %H:%M:%S} UTC"
        done = "is" if self.kept else "would be"
        lines = [f"The database {done} as it was at {moment} (schema {self.to} instead of {self.schema})."]
        if self.chosen:
            lines = [f"The database {done} {self.source} (schema {self.to} instead of {self.schema})."]
        for counts, sentence in (
            (self.missing.added, "Written since and not in it: {}."),
            (self.missing.unknown, "Known to the other release alone and not in it: {}."),
            (self.withdrawn, "Withdrawn or changed since, so not there: {}."),
        ):
            if counts:
                lines.append(sentence.format(words(counts)))
        for found, sentence in (
            (self.missing.changed, "Changed since and as before again: {}."),
            (self.missing.removed, "Removed since and there again: {}."),
        ):
            counts = {name: count for name, count in found.items() if name not in self.withdrawn}
            if counts and not self.chosen:
                lines.append(sentence.format(words(counts)))
        if not self.missing:
            lines.append("Nothing was written since.")
        if self.kept:
            lines.append(f"The other database is kept: {self.kept}")
        return "\n".join(lines)

    def document(self) -> dict[str, object]:
        """For programs."""
        return {
            "restored": self.kept is not None,
            "needed": True,
            "schema": self.to,
            "from_schema": self.schema,
            "copy": str(self.source),
            "copied_at": self.taken_at.isoformat(),
            "added": self.missing.added,
            "unknown": self.missing.unknown,
            "changed": self.missing.changed,
            "removed": self.missing.removed,
            "withdrawn": self.withdrawn,
            "kept": str(self.kept) if self.kept else None,
            "text": self.text(),
        }


def restore(data_dir: Path, known: int, *, source: Path | None = None, dry: bool = False) -> Restored | None:
    """Let the database be one that a release with `known` migrations opens; None when it is one already.

    `source` names the database to put in place instead of the newest fitting copy: one that an earlier call kept.
    `dry` changes nothing, and may run while an agent serves. Raises AlreadyRunning when one does, DatabaseError
    when nothing fits or the files are damaged, and OSError and sqlite3.Error, when nothing was changed.
    """
    database = data_dir.absolute() / DATABASE
    if not os.path.lexists(database):
        return None
    if database.is_symlink() or not database.is_file():
        raise DatabaseError(
            f"{database} is no regular file", "put the file itself there; the whole folder may be a link"
        )
    if dry:
        plan = _plan(database, known, source)
        return None if plan is None else _compare(database, plan)
    with data_lock(data_dir):
        plan = _plan(database, known, source)
        return None if plan is None else _replace(database, plan)


@dataclass(frozen=True)
class _Plan:
    schema: int
    to: int
    source: Path
    chosen: bool = False


def _plan(database: Path, known: int, source: Path | None) -> _Plan | None:
    schema = schema_of(database)
    if source is not None:
        to = _schema_of_source(database, source)
        if to > known:
            raise DatabaseError(
                f"{source} is of schema {to}, and this release knows {known}", "install a newer release first"
            )
        return _Plan(schema, to, source, chosen=True)
    if schema <= known:
        return None
    fitting = [copy for copy in copies(database) if copy.schema <= known]
    if not fitting:
        raise DatabaseError(
            f"{database} is of schema {schema}, this release knows {known}, and there is no copy from before",
            "install the newer release again (bin/site), or put a backup of the database in its place",
        )
    return _Plan(schema, fitting[-1].schema, fitting[-1].path)


def _schema_of_source(database: Path, source: Path) -> int:
    if source.parent.resolve() != database.parent.resolve() or source.is_symlink() or not source.is_file():
        raise DatabaseError(f"{source} is no file beside {database}", "name one of the files there")
    return schema_of(source)


def _compare(database: Path, plan: _Plan) -> Restored:
    with closing(connect(database)) as connection:
        connection.execute("ATTACH ? AS copy", (str(plan.source),))
        found = changes(connection)
    return _result(plan, found, {}, None)


def _result(plan: _Plan, found: Changes, withdrawn: dict[str, int], kept: Path | None) -> Restored:
    taken = datetime.fromtimestamp(plan.source.stat().st_mtime, UTC)
    return Restored(plan.schema, plan.to, plan.source, taken, found, withdrawn, kept, plan.chosen)


def _replace(database: Path, plan: _Plan) -> Restored:
    """Each step leaves what was there before, until the one rename at the end."""
    ready = database.with_name(f"{database.name}.ready")
    compared = _compare(database, plan)
    try:
        copy_database(plan.source, ready)
        withdrawn = {} if plan.chosen else _withdraw(database, ready)
        _settle(database)
        kept = _keep(database, plan.schema, precious=bool(compared.missing))
        ready.replace(database)
        sync(database.parent)
        _forget(database)
    except DamagedError as error:
        raise DatabaseError(str(error), "put a backup of the database in its place") from error
    finally:
        with suppress(OSError):
            ready.unlink(missing_ok=True)
    return _result(plan, compared.missing, withdrawn, kept)


def _withdraw(database: Path, ready: Path) -> dict[str, int]:
    with closing(connect(ready)) as connection:
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("ATTACH ? AS newer", (str(database),))
        connection.execute("BEGIN IMMEDIATE")
        withdrawn = withdraw(connection)
        connection.execute("COMMIT")
    return withdrawn


def _settle(database: Path) -> None:
    """Let all of the database be in its one file: a log beside it would be applied to what takes its place."""
    with closing(connect(database)) as connection:
        (mode,) = connection.execute("PRAGMA journal_mode=DELETE").fetchone()
    left = [database.with_name(database.name + ending) for ending in ("-wal", "-journal")]
    if mode != "delete" or any(path.exists() for path in left):
        raise sqlite3.OperationalError("the database is in use by another program")
    sync(database)


def _forget(database: Path) -> None:
    """Remove what was kept the longest ago, beyond KEPT_NEWER."""
    found = [entry for entry in database.parent.glob(f"{database.name}.newer-*") if not entry.is_symlink()]
    for entry in sorted(found, key=lambda entry: entry.stat().st_ctime, reverse=True)[KEPT_NEWER:]:
        entry.unlink(missing_ok=True)


def _keep(database: Path, schema: int, *, precious: bool) -> Path:
    """Give the newer database a second name; one that has nothing of its own takes the place of the last such."""
    for entry in database.parent.glob(f"{database.name}.newer-*"):
        if entry.samefile(database):
            return entry  # of a call that was interrupted
    kept = database.with_name(f"{database.name}.newer-schema-{schema}")
    if precious:
        base, number = f"{kept.name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}", 1
        kept = database.with_name(base)
        while os.path.lexists(kept):
            number += 1
            kept = database.with_name(f"{base}-{number}")
    else:
        kept.unlink(missing_ok=True)
    try:
        kept.hardlink_to(database)
    except OSError:  # a file system without hard links
        copy_database(database, kept)
    sync(kept.parent)
    return kept
