"""What becomes of a change that had to wait for another one, when things are no longer what they were."""

from __future__ import annotations

import asyncio
import sqlite3
from types import SimpleNamespace

import httpx
import pytest
from edge_helper import PATIENCE_S, Refused, echo_server, to_port, until, until_async

from homeportd.assembly import edge as assembly
from homeportd.auth.passwords import Passwords
from homeportd.domains.model import Destination, DnsResult
from homeportd.domains.service import Domains
from homeportd.domains.store import DomainStore
from homeportd.domains.transitions import CheckIntervals
from homeportd.edge import service
from homeportd.edge.service import Tunnels
from homeportd.edge.store import ReservationStore
from homeportd.events import Events
from homeportd.tunnels import protocol
from homeportd.tunnels.protocol import Close, Closed, Open, Opened, Refusal


@pytest.fixture
async def queue(monkeypatch, peer, ports):
    """A change that the disk does not finish until `release`; `joined(NAME, ACT)` lets another one wait for it.

    It is the reservation of the port `slow`.
    """
    slow = ports[-1]
    came, gate, save = [], asyncio.Event(), ReservationStore.save

    async def slowly(self, reservation):
        if reservation.port == slow:
            came.append("save")
            await gate.wait()
        await save(self, reservation)

    def watch(name):
        method = getattr(Tunnels, name)

        async def noted(self, *arguments, **options):
            came.append(name)  # and then it runs as far as the lock
            return await method(self, *arguments, **options)

        monkeypatch.setattr(Tunnels, name, noted)

    monkeypatch.setattr(ReservationStore, "save", slowly)
    for name in ("open", "close_for", "reserve", "edit"):
        watch(name)

    async def joined(name, act=None):
        before = came.count(name)
        task = asyncio.create_task(act) if act else None
        await until(lambda: came.count(name) > before)
        return task

    begun = []

    async def block():
        begun.append(await joined("save", peer.post("/api/reservations", json={"kind": "tcp", "port": slow})))

    async def release():
        gate.set()
        assert (await begun[0]).status_code == 201

    yield SimpleNamespace(slow=slow, block=block, joined=joined, release=release)
    gate.set()


async def echoes(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"x")
    heard = await asyncio.wait_for(reader.read(1), PATIENCE_S)
    writer.close()
    return heard == b"x"


async def test_who_closes_what_a_newer_client_took_meanwhile_closes_nothing(queue, connect, ports):
    older = await connect()
    opened = await older.open("tcp", port=ports[0])
    async with echo_server() as server:
        newer = await connect(to_port(server))
        await queue.block()
        taking = await queue.joined("open", newer.open("tcp", port=ports[0]))
        older.say(Close(tunnel=opened.tunnel))
        await queue.joined("close_for")
        await queue.release()
        assert (await taking).tunnel == opened.tunnel
        assert (await older.next(Closed)).reason == "taken-over"
        await older.open("tcp")  # its next message is dealt with after that one
        assert await echoes(ports[0])


async def test_what_a_living_token_took_meanwhile_is_no_orphan(queue, connect, peer, token):
    secret = (await peer.post("/api/tokens", json={"name": "friend", "scope": "tunnel"})).json()["token"]
    mine = await connect()
    opened = await mine.open("tcp")
    async with echo_server() as server:
        friend = await connect(to_port(server), secret=secret)
        await queue.block()
        taking = await queue.joined("open", friend.open("tcp", port=opened.port, reserve=False))
        assert (await peer.delete(f"/api/tokens/{token['id']}")).status_code == 204
        await queue.release()
        assert (await taking).tunnel == opened.tunnel
        await friend.open("tcp")
        assert await echoes(opened.port)


@pytest.fixture
def swept(monkeypatch):
    """Sweeps all the time; `await swept()` waits for the next one. Ahead of `queue` among a test's fixtures."""
    begun, sweep = [], Tunnels.sweep

    async def noted(self):
        begun.append("sweep")  # and then it runs as far as the lock
        await sweep(self)

    async def another():
        before = len(begun)
        await until(lambda: len(begun) > before)

    monkeypatch.setattr(Tunnels, "sweep", noted)
    monkeypatch.setattr(assembly, "SWEEP_S", 0.02)
    return another


async def test_what_was_reserved_meanwhile_is_not_given_up(swept, queue, connect, peer, monkeypatch):
    client = await connect()
    opened = await client.open("tcp")
    await client.close()
    await until_left(peer, opened)
    await queue.block()
    options = {"kind": "tcp", "port": opened.port}
    keeping = await queue.joined("reserve", peer.post("/api/reservations", json=options))
    monkeypatch.setattr(service, "KEEP_S", 0)
    await swept()
    await queue.release()
    kept = await keeping
    assert (kept.status_code, kept.json()["id"]) == (201, opened.tunnel)
    await swept()
    assert opened.tunnel in [item["id"] for item in (await peer.get("/api/reservations")).json()]


async def until_left(peer, opened):
    async def left():
        return (await peer.get(f"/api/tunnels/{opened.tunnel}")).json()["state"] == "offline"

    await until_async(left)


async def test_a_passcode_that_was_taken_off_meanwhile_does_not_come_back(queue, peer):
    options = {"kind": "http", "name": "app", "passcode": "sesame"}
    url = f"/api/reservations/{(await peer.post('/api/reservations', json=options)).json()['id']}"
    await queue.block()
    first = await queue.joined("edit", peer.put(url, json={"passcode": None}))
    second = await queue.joined("edit", peer.put(url, json={"allow": ["10.0.0.0/8"]}))
    await queue.release()
    assert (await first).json()["passcode"] is False
    assert ((await second).json()["passcode"], (await second).json()["allow"]) == (False, ["10.0.0.0/8"])


async def test_what_a_client_asked_for_that_has_gone_meanwhile_is_nobodys(queue, connect, peer, ports):
    first = await connect(run="one")
    await queue.block()
    first.say(Open(request=1, kind="tcp", port=ports[0]))
    await queue.joined("open")
    again = await connect(run="one")  # in place of the first, whose question waits still
    await again.close()

    async def gone():
        return "homeport_edge_clients 0" in (await peer.get("/metrics")).text

    await until_async(gone)
    await queue.release()
    await (await connect()).open("tcp", port=ports[1])  # after that one
    left = {tunnel["port"] for tunnel in (await peer.get("/api/tunnels")).json()}
    assert left == {queue.slow, ports[1]}


async def test_many_links_do_not_make_more_tunnels(queue, connect, monkeypatch):
    monkeypatch.setattr(protocol, "MAX_TUNNELS", 1)
    links = [await connect(run="one", number=number) for number in range(2)]
    await queue.block()
    opening = [await queue.joined("open", link.open("tcp")) for link in links]
    await queue.release()
    first, second = await asyncio.gather(*opening, return_exceptions=True)
    assert isinstance(first, Opened)
    assert isinstance(second, Refused)
    assert second.reason is Refusal.LIMIT


async def test_a_reservation_is_there_with_its_passcode_or_not_at_all(peer, monkeypatch):
    save, saved = ReservationStore.save, []

    async def once(self, reservation):
        if saved:
            raise sqlite3.OperationalError("disk I/O error")
        saved.append(reservation)
        await save(self, reservation)

    monkeypatch.setattr(ReservationStore, "save", once)
    options = {"kind": "http", "name": "app", "passcode": "sesame"}
    assert (await peer.post("/api/reservations", json=options)).status_code == 201
    assert saved[0].passcode_hash is not None


async def test_a_tunnel_that_cannot_be_removed_is_shown_without_its_client(connect, monkeypatch, caplog):
    client = await connect()
    opened = await client.open("tcp")
    published, publish = [], Events.publish

    def noted(self, kind, data):
        published.append((kind, data))
        publish(self, kind, data)

    async def full(_self, _id):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Events, "publish", noted)
    monkeypatch.setattr(ReservationStore, "delete", full)
    client.say(Close(tunnel=opened.tunnel))
    await until(lambda: published)
    (kind, data) = published[0]
    assert (kind, data["id"], data["state"]) == ("tunnel.changed", opened.tunnel, "offline")
    caplog.clear()  # of what the link says of it


async def test_a_passcode_of_before_does_not_let_in_after(running, peer, port, monkeypatch):
    came, gate, matches = asyncio.Event(), asyncio.Event(), Passwords.matches

    async def slowly(self, password, hashed):
        right = await matches(self, password, hashed)
        came.set()
        await gate.wait()
        return right

    options = {"kind": "http", "name": "app", "passcode": "sesame"}
    id_ = (await peer.post("/api/reservations", json=options)).json()["id"]
    monkeypatch.setattr(Passwords, "matches", slowly)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as traefik:
        headers = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Host": "app.tunnel.localhost:8081"}
        asking = asyncio.create_task(
            traefik.get(f"/.homeport/passcode/{id_}", headers=headers, auth=("", "sesame"))
        )
        await asyncio.wait_for(came.wait(), PATIENCE_S)
        changed = await peer.put(f"/api/reservations/{id_}", json={"passcode": "other"})
        assert changed.status_code == 200
        gate.set()
        assert (await asking).status_code == 401


async def test_a_domain_is_removed_while_it_is_looked_at(running, peer, monkeypatch):
    came, gate = asyncio.Event(), asyncio.Event()

    async def slowly(_self, _mapping):
        came.set()
        await gate.wait()
        return DnsResult(Destination.HERE)

    monkeypatch.setattr(Domains, "_check_dns", slowly)
    await peer.post("/api/reservations", json={"kind": "http", "name": "app"})
    options = {"domain": "app.example.org", "name": "app"}
    adding = asyncio.create_task(peer.post("/api/domains", json=options))
    await asyncio.wait_for(came.wait(), PATIENCE_S)
    removed = await asyncio.wait_for(peer.delete("/api/domains/app.example.org"), PATIENCE_S)
    assert (removed.status_code, adding.done()) == (204, False)
    gate.set()
    await adding
    assert (await peer.get("/api/domains")).json() == []
    again = await peer.post("/api/domains", json=options)
    assert (again.status_code, again.json()["state"]) == (201, "verified")


@pytest.fixture
def hasty(monkeypatch):
    """A look that failed is soon made again. Ahead of `running` among a test's fixtures."""
    monkeypatch.setattr(assembly, "INTERVALS", CheckIntervals(pending_most=0.01))


async def test_a_domain_whose_look_fails_is_looked_at_again(hasty, running, peer, monkeypatch):
    save = DomainStore.save

    async def full(self, mapping):
        if mapping.checked_at is not None:
            monkeypatch.setattr(DomainStore, "save", save)
            raise sqlite3.OperationalError("database or disk is full")
        await save(self, mapping)

    async def here(_self, _mapping):
        return DnsResult(Destination.HERE)

    monkeypatch.setattr(DomainStore, "save", full)
    monkeypatch.setattr(Domains, "_check_dns", here)
    await peer.post("/api/reservations", json={"kind": "http", "name": "app"})
    added = await peer.post("/api/domains", json={"domain": "app.example.org", "name": "app"})
    assert added.status_code == 201

    async def verified():
        return (await peer.get("/api/domains/app.example.org")).json()["state"] == "verified"

    await until_async(verified)
