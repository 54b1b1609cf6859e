"""Links: lost one by one or all at once, dialled again, refused, and never spinning."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from homeportd.tunnels import client as client_module
from homeportd.tunnels.backoff import FIRST_S, FLAPPING, LONGEST_S, Backoff
from homeportd.tunnels.client import Client
from homeportd.tunnels.errors import Reason
from homeportd.tunnels.model import State
from homeportd.tunnels.protocol import Close, Closed, Kind, Open, Rotate, Rotated
from homeportd.yamux.errors import YamuxError

from .conftest import PATIENCE, opened, running, until


async def test_links_come_when_there_is_a_tunnel(edge, clients, serve) -> None:
    client = await clients.start(links=3)
    await until(lambda: client.is_up)
    await asyncio.sleep(0.2)
    assert len(edge.links) == 1
    await opened(client, Kind.TCP, await serve())
    await until(lambda: len(edge.links) == 3)
    assert len({link.hello.run for link in edge.links}) == 1
    assert sorted(link.hello.link for link in edge.links) == [0, 1, 2]


async def test_a_lost_link_loses_its_own_streams_alone(edge, clients, serve) -> None:
    client = await clients.start(links=2)
    tunnel = await opened(client, Kind.TCP, await serve())
    await until(lambda: len(edge.links) == 2)
    lost, kept = await edge.visit(tunnel.id, 0), await edge.visit(tunnel.id, 1)
    for stream in (lost, kept):
        stream.write(b"hello")
        assert await stream.readexactly(5) == b"hello"

    edge.links[0].session.abort()

    with pytest.raises(YamuxError):
        await lost.read()
    await until(lambda: tunnel.connections == 1)
    assert tunnel.state is State.LIVE
    kept.write(b"still")
    assert await kept.readexactly(5) == b"still"
    await until(lambda: len(edge.links) == 2)
    assert len(edge.asked) == 1
    kept.close()


async def test_tunnels_come_back_with_what_they_had(edge, clients, serve) -> None:
    client = await clients.start()
    http = await opened(client, Kind.HTTP, await serve())
    tcp = await opened(client, Kind.TCP, await serve())
    before = http.name, tcp.port
    edge.asked.clear()

    for link in edge.links:
        link.session.abort()

    await until(lambda: len(edge.asked) == 2)
    assert (edge.asked[0].name, edge.asked[1].port) == before
    assert not any(asked.reserve for asked in edge.asked)  # the edge chose them: nobody keeps them for ever
    await until(lambda: tcp.state is State.LIVE)
    assert (http.name, tcp.port) == before


async def test_what_the_edge_chose_once_may_be_gone(edge, clients, serve, ports) -> None:
    client = await clients.start()
    mine = await opened(client, Kind.TCP, await serve(), port=ports[1])
    theirs = await opened(client, Kind.TCP, await serve())
    edge.taken |= {ports[1], theirs.port}
    edge.asked.clear()
    edge.links[0].session.abort()
    await until(lambda: mine.state is State.REFUSED)
    assert mine.error.reason is Reason.PORT
    await until(lambda: theirs.state is State.LIVE and theirs.port not in edge.taken)
    assert mine.state is not State.LIVE
    edge.taken.clear()
    await until(lambda: mine.state is State.LIVE)
    assert mine.port == ports[1]
    assert edge.asked[-1].reserve


async def test_an_edge_that_is_gone_for_a_while(edge, clients, serve) -> None:
    client = await clients.start(links=2)
    tunnel = await opened(client, Kind.TCP, await serve())
    port = edge.port
    await edge.stop()
    await until(lambda: tunnel.state is State.OFFLINE)
    assert client.error.reason is Reason.UNREACHABLE
    await asyncio.sleep(1)
    assert client.attempts < 20  # chance gives ten at most; who does not wait makes thousands
    await edge.start(port)
    await until(lambda: tunnel.state is State.LIVE)
    async with await edge.visit(tunnel.id) as stream:
        stream.write(b"hello")
        assert await stream.readexactly(5) == b"hello"


async def test_an_edge_that_drops_every_link_is_not_hammered(edge, clients) -> None:
    client = await clients.start()
    end = asyncio.get_running_loop().time() + 4
    while asyncio.get_running_loop().time() < end:
        for link in list(edge.links):
            link.session.abort()
        await asyncio.sleep(0.01)
    assert client.attempts < 40


def test_the_waits_grow_and_are_bounded() -> None:
    backoff = Backoff()
    assert backoff.delay() == 0
    ceilings = []
    for _ in range(40):
        backoff.failed()
        ceilings.append(backoff.ceiling)
        assert 0 <= backoff.delay() <= backoff.ceiling
    assert ceilings[:3] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S]
    assert ceilings[-1] == LONGEST_S
    backoff.lost(61)
    assert backoff.ceiling == FIRST_S
    for _ in range(9):
        backoff.lost(3)
    assert backoff.failures == FLAPPING
    assert len({backoff.delay() for _ in range(20)}) > 10


def test_nobody_stays_away_for_much_longer_than_the_edge_did() -> None:
    for _ in range(200):
        backoff = Backoff()
        backoff.lost(3)
        waited = 0.0
        while waited < 20:
            wait = backoff.delay()
            assert wait <= max(4 * FIRST_S, waited)
            waited += wait
            backoff.failed()
    backoff.lasting()
    assert max(backoff.delay() for _ in range(100)) > LONGEST_S / 2


async def test_taken_over_is_final(edge, client, serve, ports) -> None:
    tunnel = await opened(client, Kind.TCP, await serve())
    other = await opened(client, Kind.TCP, await serve(), port=ports[1])
    edge.links[0].tell(Closed(tunnel=tunnel.id, reason="taken-over"))
    edge.links[0].tell(Closed(tunnel=other.id, reason="closed"))
    await until(lambda: tunnel.state is State.TAKEN_OVER and other.state is not State.LIVE)
    assert tunnel.error.reason is Reason.TAKEN
    edge.asked.clear()
    edge.links[0].session.abort()
    await until(lambda: edge.asked and other.state is State.LIVE)
    await asyncio.sleep(0.2)
    assert [asked.port for asked in edge.asked] == [ports[1]]


@pytest.mark.parametrize("links", [1, 2])
async def test_a_new_token_is_stored_then_confirmed(edge, clients, serve, links) -> None:
    client = await clients.start(links=links)
    await opened(client, Kind.TCP, await serve())
    await until(lambda: len(edge.links) == links)
    edge.tokens = {"hp_new"}
    for link in edge.links:
        link.tell(Rotate(token="hp_new", grace_s=600))
    await until(lambda: all(Rotated() in link.said for link in edge.links))
    assert clients.rotations == [("hp_good", "hp_new")]
    edge.links[0].session.abort()
    await until(lambda: len(edge.links) == links and "hp_new" in {link.hello.token for link in edge.links})


async def test_a_new_token_takes_the_place_of_the_one_that_its_link_has(edge, clients, serve) -> None:
    """A link that comes with another account's token, meanwhile, does not make that one the old one."""
    client = await clients.start(links=2)
    await opened(client, Kind.TCP, await serve())
    await until(lambda: len(edge.links) == 2)
    edge.tokens = {"hp_good", "hp_other"}
    clients.account = replace(clients.account, token="hp_other")  # as `homeport init` does
    first, second = edge.links
    second.session.abort()
    await until(lambda: [link.hello.token for link in edge.links] == ["hp_good", "hp_other"])
    await until(lambda: len(client.links) == 2)
    first.tell(Rotate(token="hp_new", grace_s=600))
    await until(lambda: Rotated() in first.said)
    assert clients.rotations == [("hp_good", "hp_new")]


async def test_a_token_that_cannot_be_stored_is_not_confirmed(edge, clients, serve) -> None:
    client = await clients.start()
    tunnel = await opened(client, Kind.TCP, await serve())
    clients.full_disk = True
    edge.links[0].tell(Rotate(token="hp_new", grace_s=600))
    await until(lambda: clients.unstored)
    await opened(
        client, Kind.TCP, await serve()
    )  # whose message comes after what the client says to a rotation
    assert Rotated() not in edge.links[0].said
    assert tunnel.state is State.LIVE


async def test_a_refused_link_is_asked_for_seldom(edge, clients) -> None:
    edge.tokens = set()
    client = await clients.start()
    await until(lambda: client.error is not None)
    assert client.error.reason is Reason.TOKEN
    await asyncio.sleep(0.5)
    assert client.attempts <= 3  # the wait may be a short one by chance, but not twice
    edge.tokens = {"hp_good"}
    client.retry_now()
    await until(lambda: client.is_up)


async def test_a_token_revoked_later(edge, client, serve) -> None:
    tunnel = await opened(client, Kind.TCP, await serve())
    edge.tokens = set()
    edge.links[0].session.abort()
    await until(lambda: client.error and client.error.reason is Reason.TOKEN)
    assert tunnel.state is State.OFFLINE


async def test_an_edge_that_allows_one_link_alone(edge, clients, serve) -> None:
    edge.max_links = 1
    client = await clients.start(links=4)
    tunnel = await opened(client, Kind.TCP, await serve())
    await until(lambda: client.attempts == 2)
    await asyncio.sleep(0.3)
    assert client.attempts == 2
    assert tunnel.state is State.LIVE


async def test_another_version(edge, clients) -> None:
    edge.version = 2
    client = await clients.start()
    await until(lambda: client.error is not None)
    assert client.error.reason is Reason.VERSION


async def test_clocks_that_differ(edge, clients) -> None:
    edge.skew = timedelta(minutes=-5)
    client = await clients.start()
    await until(lambda: client.is_up)
    assert -300 - PATIENCE < client.status()["skew_s"] <= -300  # as long as the edge's word was on its way


async def test_nonsense_from_the_edge(edge, client, serve) -> None:
    tunnel = await opened(client, Kind.TCP, await serve())
    edge.links[0].control.write(b'{"type":"tomorrow","what":1}\n[]\n\xff\n')
    await opened(client, Kind.TCP, await serve())  # whose answer comes after that
    assert tunnel.state is State.LIVE
    edge.links[0].control.write(b"x" * 70_000)
    await until(lambda: len(edge.asked) == 4 and tunnel.state is State.LIVE)


async def test_removed_means_closed(edge, client, serve) -> None:
    tunnel = await opened(client, Kind.TCP, await serve())
    stream = await edge.visit(tunnel.id)
    stream.write(b"hello")
    assert await stream.readexactly(5) == b"hello"
    client.remove(tunnel)
    with pytest.raises(YamuxError):
        await stream.read()
    await until(lambda: edge.closed == [tunnel.id])


async def test_what_was_removed_without_a_link_is_closed_once_there_is_one(
    edge, client, serve, ports
) -> None:
    kept = await opened(client, Kind.TCP, await serve())
    gone, back = [await opened(client, Kind.TCP, await serve(), port=port) for port in ports[1:3]]
    edge.status = 503
    edge.links[0].session.abort()
    await until(lambda: not client.is_up)
    client.remove(gone)
    client.remove(back)
    again = client.add(back.spec)
    edge.status = 101
    client.retry_now()
    await until(lambda: kept.state is again.state is State.LIVE)
    assert edge.closed == [gone.id, back.id]
    said = edge.links[0].said
    assert [type(message) for message in said[:4]] == [Close, Close, Open, Open]


async def test_an_open_does_not_overtake_a_close(edge, clients, serve, monkeypatch, ports) -> None:
    """On two links the edge may read the later one first, and end the tunnel that it has just given."""
    monkeypatch.setattr(client_module, "SILENT_S", PATIENCE)
    client = await clients.start(links=2)
    tunnel = await opened(client, Kind.TCP, await serve(), port=ports[0])
    await until(lambda: len(edge.links) == 2)
    at = next(number for number, link in enumerate(edge.links) if not link.said)
    other, spoken = edge.links[at], edge.links[1 - at]
    async with await edge.visit(tunnel.id, at) as stream:  # the other is what is heard of last
        stream.write(b"hello")
        assert await stream.readexactly(5) == b"hello"
    client.remove(tunnel)
    await opened(client, Kind.TCP, await serve(), port=ports[0])
    assert [type(said) for said in spoken.said] == [Open, Close, Open]
    assert other.said == []


async def test_an_orderly_end_closes_the_tunnels(edge, clients, serve) -> None:
    async with running(Client(lambda: clients.account, rotated=lambda *_: True)) as client:
        tunnel = await opened(client, Kind.TCP, await serve())
    await until(lambda: edge.closed == [tunnel.id])
