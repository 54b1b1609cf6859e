"""A database of the release with three migrations, in use, comes to the schema of today with all that is in it.

schema_3.sql is what it was; the dates are moved so that it was written a minute ago. Tables and columns may have other
names since: rows are compared by what is in them, and by what the API makes of them.
"""

import re
import sqlite3
from collections import Counter
from contextlib import AsyncExitStack, closing
from datetime import timedelta
from pathlib import Path

import pytest

from homeportd import clock
from homeportd.app import agent
from homeportd.database import Database, migrations
from homeportd.database_copies import schema_of
from homeportd.domains.settings import DomainsSettings

from ..conftest import over_socket
from ..freeports import free_port

DUMP = Path(__file__).with_name("schema_3.sql")
WRITTEN = clock.from_text("2026-11-30T19:39:00.000Z")
MOMENT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
DASHBOARD = "http://localhost:8080"

# The other halves of what the dump has hashes of. None of them opens anything but this database.
TOKEN = "hp_nJ-omwXy8KWU3hDHorcpUjnqKa9vrqEOjAMKnh2cy0I"
REPLACED, SUCCESSOR = (
    "hp_9w9STM1fCPL4qyM-7YCKs8G5pEyVUvslenZ5SVkTGSc",
    "hp_osAfxHcsNL_XmSyesh_L5I1fNHW9RT0iKklUNEeE9q4",
)
COOKIE = "homeport_session=j25GTVRnXN83C-K63BUM81S1hqxI96m82X5qqwvY97c"
PASSWORD = "correct horse battery"


@pytest.fixture
def later():
    """How much later it is than in the dump: whole minutes."""
    return timedelta(minutes=(clock.now() - WRITTEN) // timedelta(minutes=1))


@pytest.fixture
def moment(later):
    """A moment of the dump as it was moved."""
    return lambda text: clock.to_text(clock.from_text(text) + later)


@pytest.fixture
def path(settings, later, moment):
    """The database file, where the agent of these settings looks for it."""
    settings.data_dir.mkdir()
    made = settings.data_dir / "homeport.db"
    with closing(sqlite3.connect(made)) as connection:
        connection.executescript(re.sub(MOMENT, lambda match: moment(match[0]), DUMP.read_text()))
        minutes = later // timedelta(minutes=1)
        connection.execute("UPDATE tunnel_minutes SET minute = minute + ?", (minutes,))
        connection.commit()
    return made


@pytest.fixture
def settings(settings, tmp_path):
    """Of a machine that is workstation and edge; no DNS server answers it."""
    edge = DomainsSettings(
        url="http://{name}.tunnel.localhost:8081",
        host="localhost",
        bind=("127.0.0.1",),
        tcp_ports="20022-20022",
        udp_ports="20053-20053",
        listen=f"127.0.0.1:{free_port()}",
        routes_dir=tmp_path / "routes",
        dns_server="127.0.0.1:9",
    )
    return settings.model_copy(update={"edge": edge})


def rows(path):
    """What each table has: a multiset of values for each row."""
    with closing(sqlite3.connect(path)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            name: [Counter(row) for row in connection.execute(f'SELECT * FROM "{name}"')]  # noqa: S608
            for (name,) in names
            if name != "sqlite_sequence"
        }


async def test_each_row_of_each_table_is_kept(path):
    before = rows(path)
    assert all(before.values()), "the dump has rows in all tables"
    assert schema_of(path) == 3
    await (await Database.open(path)).close()
    assert schema_of(path) == len(migrations())
    after = rows(path)
    for table, old in before.items():
        # A column may have come on top; none has gone.
        assert any(
            len(new) == len(old) and all(any(was <= now for now in new) for was in old)
            for new in after.values()
        ), table


async def test_numbers_are_not_given_twice(path):
    """The next row of a log has an id that no row had before, as the dashboard counts on."""
    database = await Database.open(path)
    numbered = await database.all("SELECT seq FROM sqlite_sequence ORDER BY seq")
    assert numbered == [(7,), (8,)]
    await database.close()


@pytest.fixture
async def api(path, settings):
    """The API of an agent that serves this data, for the owner's token of the dump."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(agent(settings))
        client = await stack.enter_async_context(over_socket(settings.socket("web")))
        client.headers["Authorization"] = f"Bearer {TOKEN}"

        async def get(path, **options):
            answer = await client.get(path, **options)
            return answer.json() if answer.status_code == 200 else answer.status_code

        get.client = client
        yield get


def picked(found, *keys):
    return [tuple(each[key] for key in keys) for each in found]


async def test_who_had_a_way_in_has_it(api):
    alone = {"Authorization": ""}
    assert (await api("/api/session"))["kind"] == "token"
    assert (await api("/api/session", headers={**alone, "Cookie": COOKIE}))["has_password"] is True
    assert await api("/api/session", headers={**alone, "Cookie": COOKIE[:-1] + "d"}) == 401
    for secret in (REPLACED, SUCCESSOR):
        assert (await api("/api/session", headers={"Authorization": f"Bearer {secret}"}))["kind"] == "token"
    for password, status in ((PASSWORD, 204), (PASSWORD + "!", 401)):
        headers = {**alone, "Origin": DASHBOARD}
        answer = await api.client.post("/api/session", json={"password": password}, headers=headers)
        assert answer.status_code == status


async def test_tokens_are_as_they_were(api, moment):
    assert picked(await api("/api/tokens"), "id", "name", "prefix", "scope", "lineage", "expires_at") == [
        ("7eda5edb", "script", "hp_nJ-o", "owner", "7eda5edb", None),
        ("fbb44c76", "laptop", "hp_S2LD", "tunnel", "fbb44c76", None),
        ("d11ef5b5", "this machine: root", "hp_9fGp", "tunnel", "d11ef5b5", None),
        ("bbcfff11", "ci", "hp_9w9S", "owner", "bbcfff11", moment("2026-12-01T19:38:09.953Z")),
        ("7932ebf3", "ci", "hp_osAf", "owner", "bbcfff11", None),
    ]


async def test_shares_are_as_they_were(api, moment):
    found = [await api(f"/api/ports/{port}/share") for port in range(4000, 4003)]
    # Its port is outside the ranges of these settings, which hides nothing.
    assert picked(found, "mode", "expires_at", "expired", "allow", "max_uses", "uses", "generation") == [
        ("public", moment("2026-11-30T21:34:03.859Z"), False, [], None, 0, 1),
        ("public", None, False, ["192.0.2.0/24"], None, 0, 1),
        ("password", moment("2026-11-30T21:38:08.589Z"), False, ["10.0.0.0/8"], 3, 0, 1),
    ]
    log = await api("/api/ports/3000/logs")
    assert picked(log, "id", "method", "path", "decision") == [
        (5, "GET", "/", "owner"),
        (4, "GET", "/", "password"),
        (3, "GET", "/", "basic"),
        (2, "GET", "/", "denied:password"),
        (1, "POST", "/.homeport/password", "login"),
    ]
    assert log[-1]["time"] == moment("2026-11-30T19:34:05.973Z")


async def test_reservations_and_domains_are_as_they_were(api, moment):
    keys = ("id", "kind", "name", "port", "token", "allow", "limits", "passcode")
    free = {"bytes_per_second": None, "connections": None}
    assert picked(await api("/api/reservations"), *keys) == [
        ("a146bfae5360", "http", "guarded", None, "laptop", ["127.0.0.0/8"], free, True),
        (
            *("753f5d8cbf07", "tcp", None, 20022, "laptop", ["127.0.0.0/8", "192.0.2.0/24"]),
            *({**free, "connections": 5}, False),
        ),
        (
            *("8213415bec62", "udp", None, 20053, "laptop", []),
            *({**free, "bytes_per_second": 1_000_000}, False),
        ),
        ("362d808e024d", "http", "web", None, "laptop", [], free, False),
        ("9ad35796335b", "http", "free", None, None, [], free, False),
    ]
    pending, issued = await api("/api/domains")
    assert picked([pending, issued], "domain", "name", "created_at") == [
        ("app.example.org", "guarded", moment("2026-11-30T19:34:07.357Z")),
        ("www.example.org", "web", moment("2026-11-30T19:38:10.343Z")),
    ]
    assert pending["certificate"] is None
    assert issued["certificate"]["issuer"] == "Pebble"
    assert issued["certificate"]["not_after"] == moment("2027-02-28T00:00:00.000Z")


async def test_logs_and_figures_are_as_they_were(api, moment):
    tunnel = "/api/tunnels/a146bfae5360"
    log = await api(f"{tunnel}/logs")
    assert picked(log, "id", "event", "status", "bytes_out") == [
        (8, "request", 401, 132),
        (6, "request", 200, 15),
        (2, "request", 401, 132),
    ]
    assert log[-1]["time"] == moment("2026-11-30T19:34:11.129Z")
    assert await api(f"{tunnel}/minutes?hours=1") == [
        {
            "minute": moment("2026-11-30T19:34:00.000Z"),
            **{"bytes_in": 213, "bytes_out": 73, "connections": 1},
            **{"requests": 2, "refused": 0, "dropped": 0},
            **{"datagrams_in": 0, "datagrams_out": 0},
        }
    ]
    visits = await api("/api/tunnels/8213415bec62/logs")
    assert picked(visits, "event", "bytes_in", "duration_ms") == [("close", 10, 60744), ("open", None, None)]
