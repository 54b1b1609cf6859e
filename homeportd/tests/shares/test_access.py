import sqlite3

import pytest

from homeportd import journal
from homeportd.shares import access
from homeportd.shares.access import AccessLog
from homeportd.shares.model import Decision


@pytest.fixture
async def log(database):
    made = AccessLog(database)
    yield made
    await made.close()


def record(log, path="/", port=3000):
    log.record(
        port=port, address="203.0.113.7", user_agent="curl", method="GET", path=path, decision=Decision.PUBLIC
    )


async def test_rows_come_newest_first_without_their_query(log):
    record(log, "/a?token=secret")
    record(log, "/b")
    record(log, "/c", port=4000)
    rows = await log.newest(3000, 10, None)
    assert [row.path for row in rows] == ["/b", "/a"]
    assert [row.path for row in await log.newest(3000, 10, before=rows[0].id)] == ["/a"]
    assert [row.path for row in await log.newest(3000, 1, None)] == ["/b"]


async def test_rows_are_pruned_by_count_for_each_port_alone(log, monkeypatch):
    monkeypatch.setattr(journal, "KEPT_ROWS", 3)
    for number in range(5):
        record(log, f"/{number}")
    record(log, "/only", port=4000)
    await log.flush()
    await log.prune()
    assert [row.path for row in await log.newest(3000, 10, None)] == ["/4", "/3", "/2"]
    assert len(await log.newest(4000, 10, None)) == 1


async def test_rows_are_pruned_by_age(log, monkeypatch):
    record(log)
    await log.flush()
    monkeypatch.setattr(journal, "KEPT_DAYS", -1)
    await log.prune()
    assert await log.newest(3000, 10, None) == []


async def test_a_flood_is_bounded_and_counted(log, monkeypatch):
    monkeypatch.setattr(journal, "PENDING", 10)
    for number in range(15):
        record(log, f"/{number}")
    assert log.dropped == 5
    assert len(await log.newest(3000, 100, None)) == 10


async def test_rows_wait_for_a_disk_that_refuses_them(log, database, monkeypatch):
    monkeypatch.setattr(journal, "PENDING", 3)
    record(log, "/a")
    record(log, "/b")
    write = log.write

    async def refuse(connection, rows):
        record(log, "/c")
        record(log, "/d")
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(log, "write", refuse)
    with pytest.raises(sqlite3.OperationalError):
        await log.flush()
    monkeypatch.setattr(log, "write", write)
    assert [row.path for row in await log.newest(3000, 10, None)] == ["/d", "/c", "/b"]
    assert log.dropped == 1


async def test_long_texts_are_cut(log):
    record(log, "/" + "x" * 5000)
    assert len((await log.newest(3000, 1, None))[0].path) == access.MAX_TEXT
