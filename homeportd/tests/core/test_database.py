import asyncio
import contextlib
import sqlite3

import pytest

from homeportd.database import Database, DatabaseError, migrations


async def test_open_migrates_and_closes(tmp_path):
    database = await Database.open(tmp_path / "a.db")
    assert await database.one("PRAGMA user_version") == (len(migrations()),)
    assert await database.one("PRAGMA journal_mode") == ("wal",)
    assert await database.one("PRAGMA synchronous") == (2,), "2 is FULL"
    assert (tmp_path / "a.db").stat().st_mode & 0o777 == 0o600
    await database.close()
    again = await Database.open(tmp_path / "a.db")
    await again.close()


async def test_a_transaction_that_fails_leaves_nothing(tmp_path):
    database = await Database.open(tmp_path / "a.db")
    insert = "INSERT INTO owner_password (id, hash) VALUES (1, 'x')"
    with contextlib.suppress(RuntimeError):
        async with database.transaction() as connection:
            await connection.execute(insert)
            raise RuntimeError
    assert await database.one("SELECT * FROM owner_password") is None
    async with database.transaction() as connection:
        await connection.execute(insert)
    assert await database.all("SELECT hash FROM owner_password") == [("x",)]
    await database.close()


async def test_a_newer_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "a.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=999")
    connection.close()
    with pytest.raises(DatabaseError, match="newer release"):
        await Database.open(path)


async def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "a.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(DatabaseError, match="not usable"):
        await Database.open(path)
    assert path.read_bytes() == b"not a database" * 100


async def test_a_writer_that_is_cancelled_leaves_no_transaction_open(database):
    async def write():
        async with database.transaction() as connection:
            await connection.execute("CREATE TABLE half (done)")

    for turns in range(8):  # at each step that it waits at
        task = asyncio.create_task(write())
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with database.transaction() as connection:
            await connection.execute("DROP TABLE IF EXISTS half")
