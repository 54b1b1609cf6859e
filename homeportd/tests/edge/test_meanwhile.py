"""What becomes of a change that had to wait for another one, when the world is no longer what it was."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from edge_helper import PATIENCE_S, echo_server, to_port, until, until_async

from homeportd.edge import service, start
from homeportd.edge.service import Tunnels
from homeportd.edge.store import PlaceStore
from homeportd.tunnels.protocol import Close, Closed

SLOW = 22_199  # the port whose reservation the disk takes its time for


@pytest.fixture
async def queue(monkeypatch, peer):
    """A change that the disk does not finish until `release`; `joined(NAME, ACT)` lets another one wait for it."""
    came, gate, save = [], asyncio.Event(), PlaceStore.save

    async def slowly(self, place):
        if place.port == SLOW:
            came.append("save")
            await gate.wait()
        await save(self, place)

    def watch(name):
        method = getattr(Tunnels, name)

        async def noted(self, *arguments, **options):
            came.append(name)  # and then it runs as far as the lock
            return await method(self, *arguments, **options)

        monkeypatch.setattr(Tunnels, name, noted)

    monkeypatch.setattr(PlaceStore, "save", slowly)
    for name in ("open", "close_for", "reserve", "edit", "sweep"):
        watch(name)

    async def joined(name, act=None):
        before = came.count(name)
        task = asyncio.create_task(act) if act else None
        await until(lambda: came.count(name) > before)
        return task

    begun = []

    async def block():
        begun.append(await joined("save", peer.post("/api/reservations", json={"kind": "tcp", "port": SLOW})))

    async def release():
        gate.set()
        assert (await begun[0]).status_code == 201

    yield SimpleNamespace(block=block, joined=joined, release=release)
    gate.set()


async def echoes(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"x")
    heard = await asyncio.wait_for(reader.read(1), PATIENCE_S)
    writer.close()
    return heard == b"x"


async def test_who_closes_what_a_newer_client_took_meanwhile_closes_nothing(queue, connect):
    older = await connect()
    opened = await older.open("tcp", port=22_104)
    async with echo_server() as server:
        newer = await connect(to_port(server))
        await queue.block()
        taking = await queue.joined("open", newer.open("tcp", port=22_104))
        older.say(Close(tunnel=opened.tunnel))
        await queue.joined("close_for")
        await queue.release()
        assert (await taking).tunnel == opened.tunnel
        assert (await older.next(Closed)).reason == "taken-over"
        await older.open("tcp")  # its next message is dealt with after that one
        assert await echoes(22_104)


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
def sweeping(monkeypatch):
    """Looks for what was left all the time. Ahead of `queue` among a test's fixtures."""
    monkeypatch.setattr(start, "SWEEP_S", 0.02)


async def test_what_was_reserved_meanwhile_is_not_given_up(sweeping, queue, connect, peer, monkeypatch):
    client = await connect()
    opened = await client.open("tcp")
    await client.close()
    await until_left(peer, opened)
    await queue.block()
    wish = {"kind": "tcp", "port": opened.port}
    keeping = await queue.joined("reserve", peer.post("/api/reservations", json=wish))
    monkeypatch.setattr(service, "KEEP_S", 0)
    await queue.joined("sweep")
    await queue.release()
    kept = await keeping
    assert (kept.status_code, kept.json()["id"]) == (201, opened.tunnel)
    await queue.joined("sweep")
    assert opened.tunnel in [item["id"] for item in (await peer.get("/api/reservations")).json()]


async def until_left(peer, opened):
    async def left():
        return (await peer.get(f"/api/tunnels/{opened.tunnel}")).json()["state"] == "offline"

    await until_async(left)


async def test_a_passcode_that_was_taken_off_meanwhile_does_not_come_back(queue, peer):
    wish = {"kind": "http", "name": "app", "passcode": "sesame"}
    url = f"/api/reservations/{(await peer.post('/api/reservations', json=wish)).json()['id']}"
    await queue.block()
    first = await queue.joined("edit", peer.put(url, json={"passcode": None}))
    second = await queue.joined("edit", peer.put(url, json={"allow": ["10.0.0.0/8"]}))
    await queue.release()
    assert (await first).json()["passcode"] is False
    assert ((await second).json()["passcode"], (await second).json()["allow"]) == (False, ["10.0.0.0/8"])
