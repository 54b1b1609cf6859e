"""The copy before a migration: whole or not at all, bounded, and in the way of nothing."""

import resource
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from homeportd import database_copies
from homeportd.data_lock import AlreadyRunning, data_lock
from homeportd.database import Database, DatabaseError, migrations
from homeportd.database_copies import KEPT_COPIES, Copy, copies, copy_database, schema_of, take_copy

NOW = len(migrations())
INSERT = "INSERT INTO owner_password (id, hash) VALUES (1, 'x')"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "homeport.db"


async def used(path):
    """A database that was in use: its last write is in the log beside it, as after a crash."""
    database = await Database.open(path)
    async with database.transaction() as connection:
        await connection.execute(INSERT)
    return database


def hash_of(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT hash FROM owner_password").fetchall()


async def test_a_first_start_copies_nothing(path):
    await (await Database.open(path)).close()
    await (await Database.open(path)).close()
    assert copies(path) == []


async def test_a_migration_leaves_a_copy_of_what_was_before(path, later_release):
    await (await used(path)).close()
    with later_release():
        await (await Database.open(path)).close()
    [copy] = copies(path)
    assert copy == Copy(NOW, path.with_name(f"homeport.db.schema-{NOW}"))
    assert schema_of(path) == NOW + 1
    assert schema_of(copy.path) == NOW
    assert hash_of(copy.path) == [("x",)]
    assert copy.path.stat().st_mode & 0o777 == 0o600
    names = {entry.name for entry in path.parent.iterdir()}
    assert names == {path.name, copy.path.name, "homeport.reserve"}


async def test_what_is_in_the_log_alone_is_in_the_copy(path):
    database = await used(path)
    assert path.with_name("homeport.db-wal").stat().st_size > 0
    assert hash_of(take_copy(path, NOW)) == [("x",)]
    await database.close()


async def test_a_migration_that_fails_changes_nothing(path, later_release):
    await (await used(path)).close()
    notes = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;"
    half = "INSERT INTO notes VALUES (1, 'half'); INSERT INTO nowhere VALUES (1)"
    with later_release(notes, half), pytest.raises(DatabaseError, match="not usable"):
        await Database.open(path)
    assert schema_of(path) == NOW + 1, "the first of the two was whole"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM notes").fetchone() == (0,)


async def test_no_migration_without_a_copy(path, later_release, monkeypatch):
    await (await used(path)).close()

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    with later_release():
        with monkeypatch.context() as patch:
            patch.setattr(database_copies.os, "fsync", full)
            with pytest.raises(DatabaseError, match=r"no copy of it could be taken.*No space") as caught:
                await Database.open(path)
        assert "room" in caught.value.fix
        assert schema_of(path) == NOW
        assert copies(path) == []
        assert list(path.parent.glob("*.partial*")) == []
        await (await Database.open(path)).close()
    assert schema_of(path) == NOW + 1


async def test_a_full_disk_is_told_and_leaves_the_old_copy(path):
    """A limit on the size of files stands for the disk; SQLite itself meets it."""
    database = await used(path)
    old = take_copy(path, NOW)
    async with database.transaction() as connection:
        await connection.execute("UPDATE owner_password SET hash = 'y'")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (16384, limits[1]))
    try:
        with pytest.raises((OSError, sqlite3.Error)):
            take_copy(path, NOW)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert hash_of(old) == [("x",)]
    assert list(path.parent.glob("*.partial*")) == []
    await database.close()


async def test_a_damaged_database_is_not_migrated(path, later_release):
    await (await used(path)).close()
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * 8192)
    with later_release(), pytest.raises(DatabaseError, match=r"damaged|not usable|malformed"):
        await Database.open(path)
    assert copies(path) == []


async def test_copies_are_few_and_never_of_an_upgrade_that_was_undone(path):
    await (await used(path)).close()
    for schema in (1, 2, 3, 4, 5):
        take_copy(path, schema)
    assert [copy.schema for copy in copies(path)] == [3, 4, 5][-KEPT_COPIES:]
    take_copy(path, 4)
    assert [copy.schema for copy in copies(path)] == [3, 4]


async def test_links_and_other_names_are_no_copies(path, tmp_path):
    await (await used(path)).close()
    for name in (
        "homeport.db.schema-",
        "homeport.db.schema-0",
        "homeport.db.schema-x",
        "homeport.db.schema-2.partial",
    ):
        (tmp_path / name).touch()
    (tmp_path / "homeport.db.schema-7").symlink_to(path)
    (tmp_path / "homeport.db.schema-8").mkdir()
    assert copies(path) == []


async def test_a_link_in_the_way_is_not_followed(path, tmp_path):
    await (await used(path)).close()
    other = tmp_path / "other"
    other.write_text("somebody's")
    (tmp_path / "copy.partial").symlink_to(other)
    copy_database(path, tmp_path / "copy")
    assert other.read_text() == "somebody's"
    assert hash_of(tmp_path / "copy") == [("x",)]


# Stops dead, as by kill -9, at the given call of a function of `os` or of Path.
KILLED = """
import os, sys
from pathlib import Path
from homeportd import database_copies
name, number, database = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
holder = os if name == "fsync" else Path
before, calls = getattr(holder, name), 0
def dies(*arguments, **named):
    global calls
    calls += 1
    if calls == number:
        os._exit(9)
    return before(*arguments, **named)
setattr(holder, name, dies)
database_copies.take_copy(database, 3)
"""


@pytest.mark.parametrize(
    ("call", "number"), [("fsync", 1), ("replace", 1), ("fsync", 2), ("unlink", 5), ("unlink", 6)]
)
async def test_a_crash_while_copying_leaves_the_old_copy_or_the_new_one(path, call, number):
    await (await used(path)).close()
    for schema in (3, 4, 5):
        take_copy(path, schema)
    result = subprocess.run([sys.executable, "-c", KILLED, call, str(number), path], check=False)
    assert result.returncode == 9
    assert hash_of(path.with_name("homeport.db.schema-3")) == [("x",)]
    assert hash_of(path) == [("x",)]
    take_copy(path, 3)
    assert [copy.schema for copy in copies(path)] == [3]
    assert list(path.parent.glob("*.partial*")) == []


def test_a_data_folder_has_one_user(tmp_path):
    with data_lock(tmp_path), pytest.raises(AlreadyRunning, match="another agent"), data_lock(tmp_path):
        pass
    with data_lock(tmp_path):
        assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600
    (tmp_path / "lock").unlink()
    (tmp_path / "lock").symlink_to(Path("elsewhere"))
    with pytest.raises(OSError, match="lock"), data_lock(tmp_path):
        pass
    assert not (tmp_path / "elsewhere").exists()
