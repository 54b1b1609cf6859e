"""Tokens of clients: who is let in, how one is replaced under way, what ends with it."""

# ruff: noqa: PT012 - a reset may come with the connection or after it

from __future__ import annotations

import asyncio
import time

import pytest
from edge_helper import PATIENCE_S, Refused, until_async, within

from homeportd.tunnels.protocol import Refusal, Rotate, Rotated
from homeportd.tunnels.protocol import Refused as RefusedMessage
from homeportd.yamux.errors import YamuxError


async def another(peer, name, scope="tunnel"):
    return (await peer.post("/api/tokens", json={"name": name, "scope": scope})).json()


async def states(peer):
    return {t["name"] or t["port"]: t["state"] for t in (await peer.get("/api/tunnels")).json()}


async def test_only_tunnel_tokens_of_this_version_come_in(connect, peer):
    owner = await another(peer, "script", "owner")
    for secret in ("hp_" + "x" * 43, "", owner["token"]):
        with pytest.raises(Refused) as caught:
            await connect(secret=secret or "none")
        assert caught.value.reason is Refusal.TOKEN
        assert "homeport" in caught.value.message.fix
    with pytest.raises(Refused) as caught:
        await connect(version=2)
    assert caught.value.reason is Refusal.VERSION


async def test_names_belong_to_the_lineage(connect, peer, ports):
    mine = await connect()
    opened = await mine.open("http", name="app")
    chosen = await mine.open("tcp", port=ports[0])
    other = await connect(secret=(await another(peer, "friend"))["token"])
    with pytest.raises(Refused) as caught:
        await other.open("http", name="APP")
    assert caught.value.reason is Refusal.NAME_TAKEN
    with pytest.raises(Refused) as caught:
        await other.open("tcp", port=ports[0])
    assert caught.value.reason is Refusal.PORT_TAKEN
    # The same port of UDP is another place.
    assert (await other.open("udp", port=ports[0])).port == ports[0]
    await mine.close()
    with pytest.raises(Refused):
        await other.open("http", name="app")  # reserved, live or not
    await peer.delete(f"/api/reservations/{opened.tunnel}")
    assert (await other.open("http", name="app")).tunnel != opened.tunnel
    assert chosen.tunnel


async def test_a_name_of_a_token_that_is_gone_is_free(connect, peer, token):
    mine = await connect()
    opened = await mine.open("http", name="app")
    other = await connect(secret=(await another(peer, "friend"))["token"])
    await peer.delete(f"/api/tokens/{token['id']}")
    again = await other.open("http", name="app")
    assert again.tunnel == opened.tunnel


async def test_revoking_cuts_within_two_seconds(connect, peer):
    async def cut():
        made = await another(peer, "revoked")
        mine = await connect(secret=made["token"])
        await mine.open("http", name="app")
        given = await mine.open("tcp")
        started = time.monotonic()
        await peer.delete(f"/api/tokens/{made['id']}")
        assert (await mine.next(RefusedMessage)).reason is Refusal.TOKEN
        await asyncio.wait_for(mine.session.wait_closed(), PATIENCE_S)
        took = time.monotonic() - started

        async def over():
            return await states(peer) == {"app": "offline"}

        await until_async(over)  # what is not reserved goes once the disk knows
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", given.port)
        return took

    await within(2, cut)


async def test_a_connected_client_gets_the_new_token_and_stays(connect, peer):
    for grace_s in (5, 20, 60):
        # A token each time: a pause of this machine may outlast the grace of the first.
        token, name = await another(peer, f"laptop{grace_s}"), f"app{grace_s}"
        first = await connect(secret=token["token"], run="one", number=0)
        second = await connect(secret=token["token"], run="one", number=1)
        await first.open("http", name=name)
        asked = time.monotonic()
        answer = await peer.post(f"/api/tokens/{token['id']}/rotate", json={"grace_s": grace_s})
        assert answer.status_code == 201
        new = answer.json()
        assert new["lineage"] == token["id"]
        told = await first.next(Rotate)
        assert told.token == new["token"]
        try:
            first.say(Rotated())
            # In the meantime both are good, and both own the name.
            third = await connect(secret=new["token"])
            fourth = await connect(secret=token["token"])
            assert (await fourth.next(Rotate)).token == new["token"]
            await fourth.close()
            break
        except (Refused, ConnectionError, YamuxError):
            assert time.monotonic() > asked + grace_s
    assert (await third.open("http", name=name)).name == name

    async def over():
        try:
            await connect(secret=token["token"])
        except Refused:
            return True

    await until_async(over, grace_s + PATIENCE_S)
    await asyncio.sleep(1)
    assert not first.session.is_closed
    assert not second.session.is_closed
    assert (await peer.get("/api/tokens")).json()[-1]["id"] == new["id"]
    assert (await states(peer))[name] == "live"


async def test_a_client_that_does_not_store_it_is_cut_after_the_grace(connect, peer, token):
    client = await connect()
    await client.open("http", name="app")
    asked = time.monotonic()
    await peer.post(f"/api/tokens/{token['id']}/rotate", json={"grace_s": 2})
    await client.next(Rotate)
    assert not client.session.is_closed or time.monotonic() > asked + 2
    await asyncio.wait_for(client.session.wait_closed(), PATIENCE_S)
    again = await peer.post(f"/api/tokens/{token['id']}/rotate", json={})
    assert again.status_code == 404
    assert await states(peer) == {"app": "offline"}


async def test_a_token_is_replaced_once(peer, token):
    first = await peer.post(f"/api/tokens/{token['id']}/rotate", json={})
    second = await peer.post(f"/api/tokens/{token['id']}/rotate", json={})
    assert (first.status_code, second.status_code) == (201, 409)
    listed = (await peer.get("/api/tokens")).json()
    assert [bool(item["expires_at"]) for item in listed] == [True, False]


async def test_reservations_through_the_api(connect, peer, token):
    made = await peer.post("/api/reservations", json={"kind": "http", "name": "Kept", "token": token["id"]})
    assert made.status_code == 201
    kept = made.json()
    assert (kept["name"], kept["token"], kept["live"]) == ("kept", "laptop", False)
    anyone = (await peer.post("/api/reservations", json={"kind": "tcp"})).json()
    assert anyone["token"] is None
    again = await peer.post("/api/reservations", json={"kind": "http", "name": "kept"})
    assert (again.status_code, "fix" in again.json()) == (409, True)
    for body in (
        {"kind": "http", "name": "admin"},
        {"kind": "tcp", "port": 80},
        {"kind": "udp", "allow": ["x"]},
    ):
        assert (await peer.post("/api/reservations", json=body)).status_code == 422
    client = await connect()
    assert (await client.open("http", name="kept")).tunnel == kept["id"]
    assert (await client.open("tcp", port=anyone["port"])).tunnel == anyone["id"]
    changed = await peer.put(
        f"/api/reservations/{anyone['id']}", json={"allow": ["10.0.0.0/8"], "limits": {"connections": 3}}
    )
    assert changed.json()["allow"] == ["10.0.0.0/8"]
    with pytest.raises(ConnectionResetError):
        reader, _ = await asyncio.open_connection("127.0.0.1", anyone["port"])
        await reader.read(1)
    assert (await peer.get("/api/reservations")).json()[1]["token"] == "laptop"
    assert (await peer.delete(f"/api/reservations/{kept['id']}")).status_code == 204
    (left,) = (await peer.get("/api/reservations")).json()
    assert left["id"] == anyone["id"]
    assert len((await peer.get("/api/tunnels")).json()) == 2  # the released one is live still


@pytest.mark.parametrize("kind", ["http", "udp"])
async def test_a_reservation_of_another_kind_is_none(connect, peer, kind, ports):
    """Not one of the edge's choice, which nobody asked for."""
    reservation = {"kind": "http", "port": ports[0]} if kind == "http" else {"kind": "udp", "name": "app"}
    answer = await peer.post("/api/reservations", json=reservation)
    assert (answer.status_code, "ports for TCP" in answer.json()["detail"]) == (422, True)
    client = await connect()
    with pytest.raises(Refused):
        await client.open(**reservation)
    assert (await peer.get("/api/tunnels")).json() == []


async def test_what_is_not_reserved_waits_for_its_own(connect, peer):
    client = await connect(run="one")
    opened = await client.open("http")
    port = await client.open("tcp")
    await client.close()
    back = await connect(run="two")
    assert (await back.open("http", name=opened.name, reserve=False)).tunnel == opened.tunnel
    assert (await back.open("tcp", port=port.port, reserve=False)).tunnel == port.tunnel
    shown = (await peer.get("/api/tunnels")).json()
    assert [item["reserved"] for item in shown] == [False, False]


async def test_what_the_edge_chose_is_reserved_by_asking_for_it(connect, peer):
    client = await connect()
    chosen = await client.open("tcp")
    assert (await peer.get("/api/reservations")).json() == []
    assert (await client.open("tcp", port=chosen.port)).tunnel == chosen.tunnel
    (kept,) = (await peer.get("/api/reservations")).json()
    assert kept["id"] == chosen.tunnel
    assert (await client.open("tcp", port=chosen.port, reserve=False)).tunnel == chosen.tunnel
    assert len((await peer.get("/api/reservations")).json()) == 1  # to come back gives nothing up
