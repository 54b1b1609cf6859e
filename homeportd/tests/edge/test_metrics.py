"""Figures and logs: Traefik's access log, minutes, metrics, events; each bounded."""

from __future__ import annotations

import asyncio
import json
from time import time

import pytest
from edge_helper import PATIENCE_S, echo_server, to_port, until, until_async
from hypothesis import given
from hypothesis import strategies as st

from homeportd import clock, journal
from homeportd.edge.model import Reservation
from homeportd.edge.registry import Registry
from homeportd.edge.traefik import access_log
from homeportd.edge.traefik.access_log import AccessLogReader, read_line
from homeportd.edge.traffic import rollups
from homeportd.edge.traffic.connection_log import ConnectionLog
from homeportd.edge.traffic.rollups import Rollups
from homeportd.edge.traffic.stats import Stats
from homeportd.edge.tunnel import Tunnel
from homeportd.tunnels.protocol import Kind


def entry(number, router="homeport-abc@file"):
    return json.dumps(
        {
            "RouterName": router,
            "ClientHost": "203.0.113.7",
            "ClientPort": "5000",
            "RequestMethod": "GET",
            "RequestPath": f"/{number}?secret=1",
            "DownstreamStatus": 200,
            "DownstreamContentSize": 10,
            "RequestContentSize": 0,
            "Duration": 2_500_000,
            "StartUTC": "2026-11-21T10:00:00.123456789Z",
        }
    )


def test_a_line_becomes_a_row_without_its_query():
    row = read_line(entry(1).encode())
    assert (row.tunnel, row.path, row.time, row.duration_ms) == ("abc", "/1", "2026-11-21T10:00:00.123Z", 2)
    assert read_line(entry(1, "homeport-abc-origin@file").encode()).tunnel == "abc"
    assert row.event == "request"
    refused = {**json.loads(entry(1)), "DownstreamStatus": 403}
    assert read_line(json.dumps(refused).encode()).event == "refused"
    assert read_line(json.dumps({**refused, "OriginStatus": 403}).encode()).event == "request"
    for line in (b"", b"{", b"[]", b"null", entry(1, "dashboard@file").encode()):
        assert read_line(line) is None


@given(
    st.dictionaries(
        st.sampled_from(["RouterName", "ClientPort", "Duration", "StartUTC", "RequestPath"]),
        st.none() | st.integers() | st.text() | st.floats(allow_nan=False),
    )
)
def test_no_line_breaks_the_reader(fields):
    read_line(json.dumps({"RouterName": "homeport-a", **fields}).encode())


@pytest.fixture
async def log(database, tmp_path, monkeypatch):
    monkeypatch.setattr(access_log, "POLL_S", 0.02)
    registry, written = Registry(), ConnectionLog(database)
    registry.add(Tunnel(Reservation("abc", Kind.HTTP, "app", None, None, True, clock.now()), written))
    seen = []

    def make():
        return AccessLogReader(tmp_path / "access.json", written, registry, seen.append)

    return make, seen, tmp_path / "access.json", written


async def test_the_log_is_followed_across_restarts(log):
    make, seen, path, written = log
    first = make()
    first.start()
    path.write_text(entry(1) + "\n" + entry(2)[:30])
    await until(lambda: len(seen) == 1)
    await first.close()
    with path.open("a") as file:
        file.write(entry(2)[30:] + "\nnonsense\n" + entry(3, "other@file") + "\n" + entry(4) + "\n")
    second = make()
    second.start()
    await until(lambda: len(seen) == 3)
    path.write_text("")  # emptied by somebody else
    await asyncio.sleep(0.1)
    path.write_text(entry(5) + "\n")
    await until(lambda: len(seen) == 4)
    await second.close()
    assert [row.path for row in await written.newest("abc", 10, None)] == ["/5", "/4", "/2", "/1"]


async def test_queries_that_an_earlier_traefik_wrote_do_not_stay_on_the_disk(log):
    make, seen, path, written = log
    path.write_text(entry(1) + "\n" + entry(2)[:30])
    for number in (1, 2):  # the second finds what the first has read
        follower = make()
        follower.start()
        await until(lambda: len(seen) == number)  # noqa: B023 - waited for here
        await follower.close()
        if number == 1:
            assert "secret" in path.read_text()  # the log has an unfinished line, which is not lost
            with path.open("a") as file:
                file.write(entry(2)[30:] + "\n")
    follower = make()
    follower.start()
    await until(lambda: path.stat().st_size == 0)
    with path.open("a") as file:
        file.write(entry(3).replace("?secret=1", "") + "\n")
    await until(lambda: len(seen) == 3)
    await follower.close()
    assert [row.path for row in await written.newest("abc", 10, None)] == ["/3", "/2", "/1"]


async def test_a_long_log_is_emptied(log, monkeypatch):
    make, seen, path, _ = log
    monkeypatch.setattr(access_log, "TRUNCATE_AT", 2000)
    follower = make()
    follower.start()
    for number in range(20):
        with path.open("a") as file:
            file.write(entry(number) + "\n")
        # Emptied a moment after the last line of it was read.
        await until(lambda: len(seen) == number + 1 and path.stat().st_size < 2000)  # noqa: B023 - waited for here
    await follower.close()


@pytest.mark.parametrize(("full_at", "kept"), [(100_000, 41), (2000, 20)], ids=["waits", "full"])
async def test_what_traefik_appends_before_the_log_is_emptied(log, monkeypatch, full_at, kept):
    make, seen, path, written = log
    monkeypatch.setattr(access_log, "TRUNCATE_AT", 2000)
    monkeypatch.setattr(access_log, "FULL_AT", full_at)
    follower = make()
    path.write_text("".join(entry(number) + "\n" for number in range(20)))

    def append(visit):
        """Amid the reading, where Traefik writes as well."""
        seen.append(visit)
        if len(seen) % 20 == 0 and len(seen) <= 40:
            more = range(20, 40) if len(seen) == 20 else (40,)
            with path.open("a") as file:
                file.write("".join(entry(number) + "\n" for number in more))

    follower._on_request = append
    follower.start()
    await until(lambda: path.stat().st_size == 0)
    await follower.close()
    rows = [int(row.path.strip("/")) for row in await written.newest("abc", 100, None)]
    assert sorted(rows) == list(range(kept))


async def test_rows_are_pruned(database, monkeypatch):
    monkeypatch.setattr(journal, "KEPT_ROWS", 5)
    monkeypatch.setattr(journal, "PENDING", 20)
    log = ConnectionLog(database)
    for _ in range(30):
        log.record("a", "open", "::1", 1)
    assert log.dropped == 10
    await log.flush()
    log.record("b", "open", "::1", 1)
    await log.flush()
    await log.prune()
    assert (len(await log.newest("a", 100, None)), len(await log.newest("b", 100, None))) == (5, 1)


async def test_minutes_are_summed_and_pruned(database, monkeypatch):
    tunnel = Tunnel(Reservation("abc", Kind.TCP, None, 1, None, True, clock.now()), ConnectionLog(database))
    figures = Rollups(database, lambda: [tunnel])
    for _ in range(3):
        tunnel.stats.total.bytes_in += 100
        tunnel.stats.total.connections += 1
        await figures.write()
    minutes = await figures.list("abc", 60)
    assert sum(minute.counts.bytes_in for minute in minutes) == 300
    assert sum(minute.counts.connections for minute in minutes) == 3
    now = int(time() // 60)
    async with database.transaction() as connection:
        await connection.executemany(
            "INSERT INTO tunnel_minutes VALUES ('old', ?, 1, 1, 1, 1, 1, 1, 1, 1)",
            [(now - rollups.KEPT_MINUTES - 1,), *((now - n,) for n in range(1, 50))],
        )
    monkeypatch.setattr(rollups, "KEPT_ROWS", 20)
    await figures.prune()
    assert len(await database.all("SELECT 1 FROM tunnel_minutes")) <= 21


def test_rates_rise_and_fall_and_the_last_byte_keeps_its_moment():
    stats, now = Stats(), clock.now()
    assert stats.tick(now, 1.0) is False
    stats.total.bytes_in += 1000
    assert stats.tick(now, 1.0) is True
    assert (stats.rate_in, stats.last_byte_at(now)) == (500, now)
    for _ in range(20):
        stats.tick(clock.now(), 1.0)
    assert stats.rate_in == 0
    assert stats.last_byte_at(clock.now()) == now


def moved(rates):
    """Whether a message says that all five bytes are through."""
    return rates is not None and rates["data"]["tunnels"][0]["bytes_in"] == 5


async def test_watchers_hear_of_tunnels_and_rates(connect, peer, running, ports):
    import websockets

    link = (await peer.post("/api/tokens", json={"name": "w"})).json()["token"]
    async with (
        echo_server() as server,
        websockets.unix_connect(
            str(running.socket("web")),
            "ws://localhost:8080/api/events",
            additional_headers={"Authorization": f"Bearer {link}"},
        ) as events,
    ):
        client = await connect(to_port(server))
        opened = await client.open("tcp", port=ports[0])
        _, writer = await asyncio.open_connection("127.0.0.1", opened.port)
        writer.write(b"hello")
        heard = {}
        async with asyncio.timeout(PATIENCE_S):
            while "tunnel.opened" not in heard or not moved(heard.get("tunnel.rates")):
                message = json.loads(await events.recv())
                heard[message["type"]] = message
        assert heard["tunnel.opened"]["data"]["address"] == f"localhost:{opened.port}"
        assert heard["tunnel.rates"]["id"] is None
        (rates,) = heard["tunnel.rates"]["data"]["tunnels"]
        assert rates["id"] == opened.tunnel
        writer.close()
        await peer.delete(f"/api/tunnels/{opened.tunnel}")
        await peer.delete(f"/api/reservations/{opened.tunnel}")
        async with asyncio.timeout(PATIENCE_S):
            while (message := json.loads(await events.recv()))["type"] != "tunnel.closed":
                pass
        assert message["data"] == {"id": opened.tunnel}


async def test_metrics_are_what_prometheus_reads(connect, peer):
    client = await connect()
    opened = await client.open("http", name="app")

    async def page():
        return (await peer.get("/metrics")).text

    text = await until_async(page)
    lines = text.splitlines()
    labels = f'{{id="{opened.tunnel}",kind="http",label="app"}}'
    assert f"homeport_tunnel_up{labels} 1" in lines
    assert f"homeport_tunnel_received_bytes_total{labels} 0" in lines
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(names) == len(set(names))
    for line in lines:
        name = line.split()[2] if line.startswith("#") else line.partition("{")[0].split()[0]
        assert name.startswith("homeport_")


async def test_what_was_read_is_not_read_again_when_the_log_cannot_be_emptied(log, monkeypatch):
    make, seen, path, written = log
    monkeypatch.setattr(access_log, "TRUNCATE_AT", 2000)
    follower, aside = make(), path.with_name("aside")
    path.write_text("".join(entry(number) + "\n" for number in range(20)))

    def move(visit):
        seen.append(visit)
        if path.exists():
            path.rename(aside)

    follower._on_request = move
    inode, position, _ = await follower._step(0, 0)
    aside.rename(path)
    with path.open("a") as file:
        file.write(entry(20) + "\n")
    follower._on_request = seen.append
    assert (await follower._step(inode, position))[1] == 0  # and then it can
    rows = [int(row.path.strip("/")) for row in await written.newest("abc", 100, None)]
    assert sorted(rows) == list(range(21))
