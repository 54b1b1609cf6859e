"""Names pass from client to client while links are silent, visitors wait, and messages cross."""

from __future__ import annotations

import asyncio
import json
import math
import time
from dataclasses import replace

import pytest
from edge_helper import PATIENCE_S, Refused, echo_server, refuse, to_port, until, until_async, within

from homeportd.edge import ownership
from homeportd.edge.connections import client
from homeportd.edge.listeners import client as client_listener
from homeportd.tunnels.protocol import Close, Closed, Refusal


@pytest.fixture
async def echo():
    async with echo_server() as port:
        yield port


@pytest.fixture
def held(monkeypatch):
    """Keep visitors waiting for their stream, as behind a link whose network was cut, until `set`; `came`: who."""
    gate, dial = asyncio.Event(), client.Client.dial
    gate.came = []

    async def late(client, introduction):
        gate.came.append(introduction)
        await gate.wait()
        return await dial(client, introduction)

    monkeypatch.setattr(client.Client, "dial", late)
    return gate


async def test_a_visitor_that_waits_ends_with_its_tunnel(connect, echo, held):
    client = await connect(to_port(echo))
    opened = await client.open("tcp")
    reader, writer = await asyncio.open_connection("127.0.0.1", opened.port)
    writer.write(b"hello")
    await until(lambda: held.came)
    client.say(Close(tunnel=opened.tunnel))
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(1), PATIENCE_S)
    writer.close()


async def test_a_visitor_that_waits_goes_to_the_link_that_came_meanwhile(connect, echo, monkeypatch):
    monkeypatch.setattr(client_listener, "CONFIG", replace(client_listener.CONFIG, accept_backlog=1))
    came, dial = [], client.Client.dial

    async def noted(client, introduction):
        came.append(introduction)  # and then it runs as far as the link's first wait
        return await dial(client, introduction)

    monkeypatch.setattr(client.Client, "dial", noted)
    cut_off = await connect(run="one")
    opened = await cut_off.open("tcp")
    cut_off.session._transport.pause_reading()  # it takes one visitor more, and does not say so
    visitors = []
    for number in (1, 2):
        visitors.append(await asyncio.open_connection("127.0.0.1", opened.port))
        await until(lambda number=number: len(came) == number)
    await connect(to_port(echo), run="one")
    reader, writer = visitors[1]
    writer.write(b"hello")
    assert await asyncio.wait_for(reader.readexactly(5), PATIENCE_S) == b"hello"
    for _, each in visitors:
        each.close()


async def test_a_visitor_that_waits_goes_nowhere_by_a_passcode_of_before(connect, echo, held, edge_settings):
    client = await connect(to_port(echo))
    opened = await client.open("http", name="app", passcode="sesame")
    route = json.loads((edge_settings.routes_dir / f"tunnel-{opened.tunnel}.yml").read_text())
    (server,) = route["http"]["services"][f"homeport-{opened.tunnel}"]["loadBalancer"]["servers"]
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server["url"].rpartition(":")[2]))
    writer.write(b"hello")
    await until(lambda: held.came)
    await client.open("http", name="app", passcode="other")
    held.set()
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(1), PATIENCE_S)
    writer.close()


async def test_a_visitor_that_waits_goes_to_the_newer_client(connect, echo, held, ports):
    older = await connect(refuse)
    opened = await older.open("tcp", port=ports[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", opened.port)
    writer.write(b"hello")
    await until(lambda: held.came)
    newer = await connect(to_port(echo))
    await newer.open("tcp", port=ports[0])
    held.set()
    assert await asyncio.wait_for(reader.readexactly(5), PATIENCE_S) == b"hello"
    writer.close()


async def test_a_link_that_is_silent_gets_neither_visitors_nor_messages(connect, echo, monkeypatch, ports):
    monkeypatch.setattr(client, "SILENT_S", 2.0)
    silent = await connect(refuse, run="one")
    opened = await silent.open("tcp", port=ports[0])
    lively = await connect(to_port(echo), run="one", number=1)
    silent.session._transport.pause_reading()
    await asyncio.sleep(2.1)

    async def visit():
        await lively.session.ping()
        begun = time.monotonic()
        reader, writer = await asyncio.open_connection("127.0.0.1", opened.port)
        writer.write(b"hello")
        try:
            assert await asyncio.wait_for(reader.readexactly(5), 2) == b"hello"
        except TimeoutError:
            return math.inf  # both were silent, where this machine paused
        finally:
            writer.close()
        return time.monotonic() - begun

    for _ in range(4):  # the silent one has always fewer streams
        await within(2, visit)
    await lively.session.ping()
    newer = await connect(to_port(echo))
    await newer.open("tcp", port=ports[0])
    assert (await lively.next(Closed)).reason == "taken-over"
    assert silent.said.empty()


async def test_who_was_away_does_not_take_a_name_back(connect, echo, ports):
    older = await connect(refuse, run="older")
    opened = await older.open("tcp", port=ports[0])
    await older.close()
    newer = await connect(to_port(echo), run="newer")
    await newer.open("tcp", port=ports[0])
    woken = await connect(refuse, run="older")
    with pytest.raises(Refused) as caught:
        await woken.open("tcp", port=ports[0], again=True)
    assert caught.value.reason is Refusal.TAKEN_OVER
    assert (
        await newer.open("tcp", port=ports[0], again=True)
    ).tunnel == opened.tunnel  # its own, asked for twice
    await newer.close()  # unclean: what nobody has is anybody's of the lineage
    await until_async(lambda: _again(woken, opened))


async def _again(client, opened):
    try:
        return (await client.open("tcp", port=opened.port, again=True)).tunnel == opened.tunnel
    except Refused:
        return False


async def test_a_client_that_is_started_takes_the_name(connect, echo, ports):
    older = await connect(refuse)
    await older.open("tcp", port=ports[0])
    newer = await connect(to_port(echo))
    await newer.open("tcp", port=ports[0])
    assert (await older.next(Closed)).reason == "taken-over"
    await older.open("tcp", port=ports[0])
    assert (await newer.next(Closed)).reason == "taken-over"


async def test_one_token_cannot_have_every_place(connect, monkeypatch):
    monkeypatch.setattr(ownership, "MAX_OF_LINEAGE", 2)
    client = await connect()
    await client.open("tcp")
    await client.open("http")
    with pytest.raises(Refused) as caught:
        await client.open("tcp")
    assert caught.value.reason is Refusal.LIMIT
