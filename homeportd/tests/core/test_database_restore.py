"""Going back to the copy from before a migration: what is told, what stays closed, and a crash at any step."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from homeportd import database_changes
from homeportd.data_lock import AlreadyRunning, data_lock
from homeportd.database import Database, DatabaseError, migrations
from homeportd.database_changes import MAX_TABLES, words
from homeportd.database_copies import schema_of
from homeportd.database_restore import KEPT_NEWER, restore

NOW = len(migrations())
SHARE = "INSERT INTO shares (port, id, generation, mode, allow, updated_at) VALUES (?, ?, ?, 'public', '[]', 'now')"
TOKEN = "INSERT INTO tokens (id, name, prefix, hash, created_at, lineage) VALUES (?, 'a', 'a', ?, 'now', ?)"


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


@pytest.fixture
async def upgraded(data, later_release):
    """A data folder whose database has one migration more than this release; what was there before it is there."""
    data.mkdir()
    database = await Database.open(data / "homeport.db")
    async with database.transaction() as connection:
        for port in (3000, 3001, 3002):
            await connection.execute(SHARE, (port, f"s{port}", 1))
        for name in ("t1", "t2"):
            await connection.execute(TOKEN, (name, name.encode(), name))
        await connection.execute("INSERT INTO owner_password VALUES (1, 'first')")
    await database.close()
    with later_release():
        await (await Database.open(data / "homeport.db")).close()
    return data


def write(data, *statements):
    """What a person did while the newer release served."""
    with closing(sqlite3.connect(data / "homeport.db")) as connection, connection:
        for sql, *values in statements:
            connection.execute(sql, values)


def rows(path, sql):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


async def serves(data):
    """The release that is tested opens the database, and finds it whole."""
    database = await Database.open(data / "homeport.db")
    assert await database.all("PRAGMA integrity_check") == [("ok",)]
    assert await database.all("PRAGMA foreign_key_check") == []
    await database.close()


async def test_nothing_is_done_where_the_database_fits(data):
    data.mkdir()
    assert restore(data, NOW) is None
    await (await Database.open(data / "homeport.db")).close()
    before = (data / "homeport.db").read_bytes()
    assert restore(data, NOW) is None
    assert restore(data, NOW + 3) is None
    assert (data / "homeport.db").read_bytes() == before


async def test_the_older_release_serves_again_and_the_newer_database_is_kept(upgraded):
    with pytest.raises(DatabaseError, match="newer release") as caught:
        await Database.open(upgraded / "homeport.db")
    assert f"homeportd restore-database --data-dir {upgraded}" in caught.value.fix
    done = restore(upgraded, NOW)
    assert done is not None
    assert (done.schema, done.to) == (NOW + 1, NOW)
    assert not done.missing
    assert "Nothing was written since." in done.text()
    assert done.kept is not None
    assert schema_of(done.kept) == NOW + 1
    assert done.kept.stat().st_mode & 0o777 == 0o600
    await serves(upgraded)
    assert len(rows(upgraded / "homeport.db", "SELECT * FROM shares")) == 3
    assert restore(upgraded, NOW) is None


async def test_what_was_written_since_is_told_by_table(upgraded):
    write(
        upgraded,
        (SHARE, 4000, "s4000", 1),
        (SHARE, 4001, "s4001", 1),
        (TOKEN, "t3", b"t3", "t3"),
        ("UPDATE shares SET uses = 7 WHERE port = 3000",),
        ("INSERT INTO notes (text) VALUES ('new')",),
        (
            "INSERT INTO accesses (port, time, address, user_agent, method, path, decision)"
            " VALUES (1, '', '', '', '', '', '')",
        ),
    )
    plan = restore(upgraded, NOW, dry=True)
    assert plan is not None
    assert plan.kept is None
    assert schema_of(upgraded / "homeport.db") == NOW + 1
    done = restore(upgraded, NOW)
    assert done is not None
    assert done.missing == plan.missing
    assert done.missing.added == {"shares": 2, "tokens": 1, "accesses": 1}
    assert done.missing.changed == {"shares": 1}
    assert done.missing.unknown == {"notes": 1}
    text = done.text()
    assert "2 shares, 1 row of the access log, 1 token" in text or "2 shares, " in text
    for part in ("1 token", "1 row of notes", str(done.kept)):
        assert part in text
    assert len(rows(upgraded / "homeport.db", "SELECT * FROM shares")) == 3
    assert len(rows(done.kept, "SELECT * FROM shares")) == 5


async def test_what_was_closed_since_is_not_open_again(upgraded):
    write(
        upgraded,
        ("DELETE FROM shares WHERE port = 3000",),
        ("UPDATE shares SET generation = 2, allow = '[\"10.0.0.0/8\"]' WHERE port = 3001",),
        ("DELETE FROM tokens WHERE id = 't1'",),
        ("UPDATE owner_password SET hash = 'second'",),
    )
    done = restore(upgraded, NOW)
    assert done is not None
    assert done.withdrawn == {"shares": 2, "tokens": 1, "owner_password": 1}
    assert "so not there: 2 shares, 1 token, 1 owner's password" in done.text()
    assert rows(upgraded / "homeport.db", "SELECT port FROM shares") == [(3002,)]
    assert rows(upgraded / "homeport.db", "SELECT id FROM tokens") == [("t2",)]
    assert rows(upgraded / "homeport.db", "SELECT hash FROM owner_password") == []
    await serves(upgraded)


@pytest.mark.parametrize("release", ["this one", "the one before the table was renamed"])
async def test_a_login_session_that_ended_since_does_not_come_back(
    data, earlier_release, monkeypatch, release
):
    data.mkdir()
    with earlier_release(3):
        database = await Database.open(data / "homeport.db")
        async with database.transaction() as connection:
            for name in ("laptop", "phone"):
                await connection.execute(
                    "INSERT INTO sessions VALUES (?, ?, 'now', 'later')", (name, name.encode())
                )
        await database.close()
    await (await Database.open(data / "homeport.db")).close()
    write(data, ("DELETE FROM login_sessions WHERE id = 'phone'",))
    if release != "this one":
        monkeypatch.setattr(database_changes, "RIGHTS", {"sessions": ("id", "hash")})
        monkeypatch.setattr(database_changes, "RENAMED", {})
    done = restore(data, 3)
    assert done is not None
    assert done.withdrawn == {"sessions": 1}
    assert "so not there: 1 login session" in done.text()
    assert rows(data / "homeport.db", "SELECT id FROM sessions") == [("laptop",)]
    if release == "this one":
        assert (done.missing.added, done.missing.unknown) == ({}, {})


async def test_a_log_beside_the_newer_database_is_kept_with_it_and_not_applied_to_the_copy(upgraded):
    """As a killed agent leaves it."""
    script = (
        "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute(\"INSERT INTO notes (text) VALUES ('in the log')\"); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", script, upgraded / "homeport.db"], check=True)
    assert (upgraded / "homeport.db-wal").stat().st_size > 0
    done = restore(upgraded, NOW)
    assert done is not None
    assert done.kept is not None
    assert not (upgraded / "homeport.db-wal").exists()
    assert rows(done.kept, "SELECT text FROM notes") == [("in the log",)]
    await serves(upgraded)


async def test_the_newer_database_can_be_put_back_whole(upgraded):
    """For a rollback whose older release does not run after all."""
    write(upgraded, (SHARE, 4000, "s4000", 1))
    kept = restore(upgraded, NOW).kept
    again = restore(upgraded, NOW + 1, source=kept)
    assert again is not None
    assert again.withdrawn == {}
    assert f"The database is {kept} (schema {NOW + 1} instead of {NOW})." in again.text()
    assert "again:" not in again.text()
    assert schema_of(upgraded / "homeport.db") == NOW + 1
    assert len(rows(upgraded / "homeport.db", "SELECT * FROM shares")) == 4
    with pytest.raises(DatabaseError, match="knows"):
        restore(upgraded, NOW, source=kept)
    with pytest.raises(DatabaseError, match="no file beside"):
        restore(upgraded, NOW, source=upgraded.parent / "homeport.db")


async def test_without_a_copy_nothing_is_changed(upgraded):
    (upgraded / f"homeport.db.schema-{NOW}").unlink()
    before = (upgraded / "homeport.db").read_bytes()
    with pytest.raises(DatabaseError, match="no copy from before") as caught:
        restore(upgraded, NOW)
    assert "backup" in caught.value.fix
    assert (upgraded / "homeport.db").read_bytes() == before


async def test_a_damaged_copy_is_not_put_in_place(upgraded):
    with (upgraded / f"homeport.db.schema-{NOW}").open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * 20000)
    with pytest.raises((DatabaseError, sqlite3.DatabaseError)):
        restore(upgraded, NOW)
    assert schema_of(upgraded / "homeport.db") == NOW + 1
    assert not (upgraded / "homeport.db.ready").exists()


async def test_not_while_an_agent_serves_or_another_program_writes(upgraded):
    with data_lock(upgraded), pytest.raises(AlreadyRunning):
        restore(upgraded, NOW)
    with data_lock(upgraded):
        assert restore(upgraded, NOW, dry=True) is not None
    with closing(sqlite3.connect(upgraded / "homeport.db", isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT * FROM shares").fetchall()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("homeportd.database_copies.BUSY_S", 0.1)
            with pytest.raises(sqlite3.OperationalError):
                restore(upgraded, NOW)
    assert schema_of(upgraded / "homeport.db") == NOW + 1
    assert restore(upgraded, NOW) is not None


async def test_a_link_for_a_database_is_refused(upgraded, tmp_path):
    (upgraded / "homeport.db").rename(tmp_path / "elsewhere.db")
    (upgraded / "homeport.db").symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(DatabaseError, match="no regular file"):
        restore(upgraded, NOW)
    assert (tmp_path / "elsewhere.db").exists()


async def test_what_is_kept_is_bounded(upgraded):
    for number in range(KEPT_NEWER + 2):
        (upgraded / f"homeport.db.newer-schema-9-{number}").touch()
    kept = restore(upgraded, NOW).kept
    assert kept.exists()
    assert len(list(upgraded.glob("homeport.db.newer-*"))) == KEPT_NEWER


# Ends the process, as kill -9 would, at the given call of a function that changes a file.
KILLED = """
import os, sqlite3, sys
from pathlib import Path
from homeportd import database_copies, database_restore
number, data = int(sys.argv[1]), Path(sys.argv[2])
calls = 0
def dying(before):
    def dies(*arguments, **named):
        global calls
        calls += 1
        if calls == number:
            os._exit(9)
        return before(*arguments, **named)
    return dies
os.fsync = dying(os.fsync)
for name in ("replace", "hardlink_to"):
    setattr(Path, name, dying(getattr(Path, name)))
for name in ("_withdraw", "_settle"):
    setattr(database_restore, name, dying(getattr(database_restore, name)))
database_restore.restore(data, int(sys.argv[3]))
"""


@pytest.mark.parametrize("number", range(1, 13))
async def test_a_crash_at_any_step_leaves_a_database_that_opens(upgraded, number):
    write(upgraded, (SHARE, 4000, "s4000", 1))
    command = [sys.executable, "-c", KILLED, str(number), upgraded, str(NOW)]
    code = subprocess.run(command, check=False).returncode
    assert code in (0, 9)
    assert (code == 0) == (number > 10), "each step is killed once"
    schema = schema_of(upgraded / "homeport.db")
    shares = {NOW + 1: 4, NOW: 3}[schema]
    assert len(rows(upgraded / "homeport.db", "SELECT * FROM shares")) == shares
    assert rows(upgraded / "homeport.db", "PRAGMA integrity_check") == [("ok",)]
    assert (restore(upgraded, NOW) is None) == (schema == NOW)
    await serves(upgraded)
    [kept] = upgraded.glob("homeport.db.newer-*")
    assert len(rows(kept, "SELECT * FROM shares")) == 4


def command(data, *options):
    result = subprocess.run(
        [sys.executable, "-m", "homeportd", "restore-database", "--data-dir", data, *options],
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, result.stdout, result.stderr


async def test_the_command_says_what_it_does_and_ends_with_a_code(upgraded):
    code, out, _ = command(upgraded, "--check", "--json")
    plan = json.loads(out)
    assert (code, plan["needed"], plan["restored"], plan["schema"]) == (0, True, False, NOW)
    with data_lock(upgraded):
        code, out, error = command(upgraded)
    assert (code, out) == (1, "")
    assert "error: another agent serves" in error
    assert "fix: " in error
    code, _, error = command(upgraded, "--schema", "1")
    assert code == 3
    assert "no copy from before" in error
    code, out, _ = command(upgraded)
    assert code == 0
    assert "Nothing was written since." in out
    assert command(upgraded)[:2] == (0, "There is nothing to do: the database fits.\n")
    assert command(upgraded, "--nonsense")[0] == 2


@pytest.mark.skipif(os.getuid() != 0, reason="left out: root alone can be somebody else")
async def test_the_command_writes_no_files_as_somebody_else(upgraded):
    os.chown(upgraded, 1, 1)
    code, _, error = command(upgraded)
    assert code == 3
    assert "fix: run it as daemon: runuser -u daemon -- " in error
    assert schema_of(upgraded / "homeport.db") == NOW + 1


def test_counts_are_words():
    assert words({"shares": 2, "tokens": 1, "notes": 3}) == "2 shares, 1 token, 3 rows of notes"
    assert words({f"t{number}": 1 for number in range(MAX_TABLES + 2)}).endswith("rows of 2 other tables")
