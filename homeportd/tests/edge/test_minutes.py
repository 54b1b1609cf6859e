"""What moved is on the minute in which it moved, and on the disk once."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest
from edge_helper import until

from homeportd import clock
from homeportd.edge.model import Reservation
from homeportd.edge.traffic import rollups
from homeportd.edge.traffic.connection_log import ConnectionLog
from homeportd.edge.traffic.rollups import Rollups
from homeportd.edge.tunnel import Tunnel
from homeportd.tunnels.protocol import Kind

MINUTE = 29_000_000  # since 1970


@pytest.fixture
def tunnel(database):
    return Tunnel(Reservation("abc", Kind.TCP, None, 1, None, True, clock.now()), ConnectionLog(database))


@pytest.fixture
def moment(monkeypatch):
    """The seconds since 1970 that the minutes go by; to be set."""
    now = [MINUTE * 60 + 59.7]
    monkeypatch.setattr(rollups, "time", lambda: now[0])
    return now


async def bytes_by_minute(figures):
    return {found.minute: found.counts.bytes_in for found in await figures.list("abc", 5)}


async def test_a_minute_that_has_ended_gets_what_moved_in_it(database, tunnel, moment):
    figures = Rollups(database, lambda: [tunnel])
    figures.start()
    tunnel.stats.total.bytes_in += 1500
    moment[0] = (MINUTE + 1) * 60 + 0.005
    await until(lambda: tunnel.stats.rolled.bytes_in == 1500)
    tunnel.stats.total.bytes_in += 70
    await figures.close()
    assert await bytes_by_minute(figures) == {MINUTE: 1500, MINUTE + 1: 70}


async def test_who_looks_before_the_minute_was_closed_changes_nothing(database, tunnel, moment):
    figures = Rollups(database, lambda: [tunnel])
    tunnel.stats.total.bytes_in += 1500
    moment[0] = (MINUTE + 1) * 60 + 0.005
    await figures.write()
    assert await bytes_by_minute(figures) == {MINUTE: 1500}


async def test_a_restarted_agent_knows_when_the_last_byte_moved(database, tunnel, moment):
    figures = Rollups(database, lambda: [tunnel])
    await figures.recall()
    assert tunnel.stats.last_byte_at(clock.now()) is None
    tunnel.stats.total.bytes_out += 70
    await figures.write()
    after = Tunnel(tunnel.reservation, ConnectionLog(database))
    await Rollups(database, lambda: [after]).recall()
    assert after.stats.last_byte_at(clock.now()).timestamp() == MINUTE * 60
    # What a visit says is exact, and there before the minute is.
    seen = clock.from_text("2026-07-01T12:00:07.250Z")
    async with database.transaction() as connection:
        await connection.execute(
            "INSERT INTO tunnel_visits (tunnel, time, event, address, port, bytes_in, bytes_out)"
            " VALUES ('abc', ?, 'close', '192.0.2.1', 9, 5, 0)",
            (clock.to_text(seen),),
        )
    await Rollups(database, lambda: [after]).recall()
    assert after.stats.last_byte_at(clock.now()) == seen.replace(microsecond=0)
    after.stats.total.bytes_in += 1
    assert after.stats.last_byte_at(now := clock.now()) == now


async def test_what_could_not_be_written_is_written_later(database, tunnel, moment):
    figures = Rollups(database, lambda: [tunnel])
    tunnel.stats.total.bytes_in += 1500
    async with database.transaction() as connection:
        await connection.execute("ALTER TABLE tunnel_minutes RENAME TO away")
    with pytest.raises(sqlite3.OperationalError):
        await figures.write()
    async with database.transaction() as connection:
        await connection.execute("ALTER TABLE away RENAME TO tunnel_minutes")
    tunnel.stats.total.bytes_in += 70
    await figures.write()
    await figures.write()
    assert await bytes_by_minute(figures) == {MINUTE: 1570}


async def test_what_is_being_written_at_the_end_is_written_once(database, tunnel, moment, monkeypatch):
    written, gate, commit = asyncio.Event(), asyncio.Event(), database._connection.commit

    async def slowly():
        await commit()
        written.set()
        await gate.wait()

    monkeypatch.setattr(database._connection, "commit", slowly)
    figures, visits = Rollups(database, lambda: [tunnel]), ConnectionLog(database)
    tunnel.stats.total.bytes_in += 1500
    visits.record("abc", "open", "192.0.2.1", 9)
    for room, writing in ((figures, figures.write()), (visits, visits.flush())):
        room._task = asyncio.create_task(writing)
        await written.wait()
        closing = asyncio.create_task(room.close())
        await asyncio.sleep(0)
        gate.set()
        await closing
        written.clear()
        gate.clear()
    assert await bytes_by_minute(figures) == {MINUTE: 1500}
    assert len(await visits.newest("abc", 10, None)) == 1
