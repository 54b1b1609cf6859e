"""Peers that say nothing, too much, or garbage: a clear end each time, and nothing left behind."""

from __future__ import annotations

import asyncio
import os
import ssl
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from edge_helper import (
    HEAD,
    PATIENCE_S,
    Refused,
    echo_server,
    link,
    to_port,
    until_async,
    upgraded,
)

from homeportd import http_protocol
from homeportd.edge import connection_handler
from homeportd.edge.connections import admission
from homeportd.edge.connections import link as link_module
from homeportd.edge.connections.admission import Admission
from homeportd.edge.listeners import client as client_listener
from homeportd.edge.listeners.client import asks_for_link, visitor_of
from homeportd.tunnels.protocol import MAX_LINE, Refusal, from_edge
from homeportd.yamux.aio import Session
from homeportd.yamux.errors import YamuxError
from homeportd.yamux.frames import Role

from ..freeports import free_port

FDS = Path("/proc/self/fd")


async def gone(reader):
    """Wait for the other side to end the connection."""
    try:
        while await reader.read(65536):
            pass
    except ConnectionError:
        pass


async def test_no_request_no_connection(running, port, monkeypatch):
    monkeypatch.setattr(client_listener, "HEAD_S", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /.homeport/connect HTTP/1.1\r\nHost: x\r\n")  # and no more
    await asyncio.wait_for(gone(reader), PATIENCE_S)
    writer.close()


@pytest.mark.parametrize("path", ["/.homeport/password", "/api/session"])
async def test_a_form_that_does_not_come_to_an_end_is_ended(running, port, monkeypatch, path):
    monkeypatch.setattr(http_protocol, "REQUEST_S", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\npass".encode())
    await asyncio.wait_for(gone(reader), PATIENCE_S)
    writer.close()


async def test_no_hello_no_link(running, port, monkeypatch):
    monkeypatch.setattr(link_module, "HELLO_S", 0.2)
    session = await upgraded(port)
    await asyncio.wait_for(session.wait_closed(), PATIENCE_S)
    session = await upgraded(port)
    with suppress(YamuxError):  # it may be over by now
        control = await session.open()
        control.write(b'{"type":"hello"')
    await asyncio.wait_for(session.wait_closed(), PATIENCE_S)


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense\n",
        b"[]\n",
        b"{}\n",
        b'{"type":"open"}\n',
        b"\xff\xfe\n",
        b'{"type":"hello","version":1,"token":"x","run":"../../etc","client":"a","agent":"b"}\n',
        b'{"type":"close","tunnel":"x"}\n',
    ],
)
async def test_a_first_line_that_is_no_hello_is_refused(running, port, line):
    session = await upgraded(port)
    control = await session.open()
    control.write(line)
    answer = from_edge(await asyncio.wait_for(control.readline(), PATIENCE_S))
    assert answer.reason is Refusal.BAD
    await asyncio.wait_for(session.wait_closed(), PATIENCE_S)


async def test_an_endless_line_ends_the_link(running, port):
    session = await upgraded(port)
    control = await session.open()
    control.write(b"x" * (MAX_LINE + 100))
    await asyncio.wait_for(session.wait_closed(), PATIENCE_S)


async def test_a_wrong_token_is_answered_late(port, running):
    begun = time.monotonic()
    with pytest.raises(Refused) as caught:
        await link(port, "hp_" + "x" * 43)
    assert caught.value.reason is Refusal.TOKEN
    assert time.monotonic() - begun >= connection_handler.WRONG_TOKEN_S


async def test_few_of_one_address_are_on_the_way_in(port, connect, monkeypatch):
    monkeypatch.setattr(admission, "MAX_PENDING_OF_ADDRESS", 3)
    monkeypatch.setattr(link_module, "HELLO_S", 60)  # the first still say nothing when the last comes
    head = HEAD.replace(b"\r\n\r\n", b"\r\nX-Forwarded-For: 192.0.2.1, 203.0.113.7\r\n\r\n")

    async def arrive(head):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head)
        answer = await reader.readuntil(b"\r\n\r\n")
        return answer, writer

    came = [await arrive(head) for _ in range(4)]
    assert [answer[9:12] for answer, _ in came] == [b"101", b"101", b"101", b"429"]
    other, writer = await arrive(
        head.replace(b"203.0.113.7", b"203.0.113.8")
    )  # what Traefik added last counts
    assert other[9:12] == b"101"
    await connect()  # this machine's own
    for _, each in came:
        each.close()

    async def once_more():
        answer, late = await arrive(head)
        late.close()
        return answer[9:12] == b"101"

    await until_async(once_more)
    writer.close()


def test_pending_connections_are_counted_by_client(monkeypatch):
    monkeypatch.setattr(admission, "MAX_PENDING_OF_ADDRESS", 2)
    monkeypatch.setattr(admission, "MAX_PENDING", 6)
    pending = Admission()
    first = pending.enter("2001:db8::1")
    assert pending.enter("2001:db8::2") is not None
    assert pending.enter("2001:db8::3") is None  # of one /64
    assert pending.enter("2001:db8:0:1::1") is not None
    assert pending.enter("::ffff:192.0.2.1") is not None
    assert pending.enter("192.0.2.1") is not None
    assert pending.enter("192.0.2.1") is None
    first.leave()
    first.leave()
    assert pending.count == 4
    assert [pending.enter("127.0.0.1") is not None for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize(
    ("head", "peer", "address"),
    [
        (b"GET / HTTP/1.1\r\nX-Forwarded-For: 192.0.2.1", "127.0.0.1", "192.0.2.1"),
        (b"GET / HTTP/1.1\r\nx-forwarded-for: 10.0.0.1, 192.0.2.1", "::1", "192.0.2.1"),
        (
            b"GET / HTTP/1.1\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-For: 192.0.2.2",
            "127.0.0.1",
            "192.0.2.2",
        ),
        (b"GET / HTTP/1.1\r\nX-Forwarded-For: 192.0.2.1", "198.51.100.1", "198.51.100.1"),
        (b"GET / HTTP/1.1\r\nX-Forwarded-For:", "127.0.0.1", "127.0.0.1"),
        (b"GET / HTTP/1.1", "127.0.0.1", "127.0.0.1"),
    ],
)
def test_a_stranger_cannot_name_its_own_address(head, peer, address):
    assert visitor_of(head, peer) == address


async def test_garbage_after_the_upgrade_ends_it(running, port):
    for _ in range(50):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(os.urandom(4096))
        await asyncio.wait_for(gone(reader), PATIENCE_S)
        writer.close()


async def test_garbage_in_place_of_http(running, port):
    for junk in (
        os.urandom(100_000),
        b"\x16\x03\x01" + os.urandom(300),
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(junk)
        writer.write_eof()
        await asyncio.wait_for(gone(reader), PATIENCE_S)
        writer.close()
    session = await upgraded(port)
    session.abort()


async def test_a_bad_message_ends_its_link_alone(connect):
    async with echo_server() as server:
        good = await connect(to_port(server))
        opened = await good.open("tcp")
        bad = await connect(to_port(server))
        bad.control.write(b'{"type":"open","request":1,"kind":"ftp"}\n')
        await asyncio.wait_for(bad.session.wait_closed(), PATIENCE_S)
        reader, writer = await asyncio.open_connection("127.0.0.1", opened.port)
        writer.write(b"x")
        assert await reader.read(1) == b"x"
        writer.close()


async def test_streams_that_a_client_opens_are_reset(connect):
    client = await connect()
    stream = await client.session.open()
    stream.write(b"surprise")
    await asyncio.wait_for(stream.wait_closed(), PATIENCE_S)
    assert stream.error is not None
    assert (await client.open("tcp")).port


async def test_too_many_messages_are_read_later(connect, monkeypatch):
    client = await connect()
    for _ in range(4000):
        client.control.write(b'{"type":"close","tunnel":"none"}\n')
        await client.control.drain()
    opened = await connect()
    assert (await opened.open("tcp")).port


async def test_the_number_of_tunnels_is_limited(connect, monkeypatch):
    monkeypatch.setattr("homeportd.tunnels.protocol.MAX_TUNNELS", 3)
    client = await connect()
    names = [(await client.open("http")).name for _ in range(3)]
    with pytest.raises(Refused) as caught:
        await client.open("http")
    assert caught.value.reason is Refusal.LIMIT
    assert (await client.open("http", name=names[0])).name == names[0]


async def test_nothing_is_left_behind(connect, running, port, token, peer, ports):
    async with echo_server() as server:
        keeper = await connect(to_port(server))
        await keeper.open("tcp", port=ports[0])
        await asyncio.sleep(0.1)
        before = len(asyncio.all_tasks()), len(list(FDS.iterdir()))
        for number in range(30):
            client = await link(port, token["token"], to_port(server))
            await client.open("tcp", port=ports[1])
            visitors = [await asyncio.open_connection("127.0.0.1", ports[1]) for _ in range(5)]
            for reader, writer in visitors:
                writer.write(b"x")
                assert await reader.read(1) == b"x"
            if number % 2:
                await client.close()
            else:
                client.session._transport.abort()
                await client.close()
            for _, writer in visitors:
                writer.close()
        made = (await peer.get("/api/tunnels")).json()
        await peer.delete(f"/api/reservations/{made[-1]['id']}")

        async def settled():
            now = len(asyncio.all_tasks()), len(list(FDS.iterdir()))
            return now[0] <= before[0] + 1 and now[1] <= before[1] + 1

        await until_async(settled)


@pytest.mark.parametrize(
    ("head", "asked"),
    [
        (HEAD[:-4], True),
        (HEAD[:-4].replace(b"Upgrade\r\n", b"keep-alive, upgrade\r\n"), True),
        (HEAD[:-4].replace(b"GET", b"POST"), False),
        (HEAD[:-4].replace(b"/connect", b"/connect/../x"), False),
        (HEAD[:-4].replace(b"homeport-tunnel", b"websocket"), False),
        (HEAD[:-4] + b"\r\nContent-Length: 5", False),
        (HEAD[:-4] + b"\r\nTransfer-Encoding: chunked", False),
        (HEAD[:-4] + b"\r\nUpgrade: homeport-tunnel", False),
        (HEAD[:-4] + b"\r\n folded", False),
        (HEAD[:-4] + b"\r\nbad name: x", False),
        (HEAD[:-4].replace(b"1.1", b"1.0"), False),
        (b"", False),
    ],
)
def test_only_a_strict_upgrade_is_a_link(head, asked):
    assert asks_for_link(head) is asked


@pytest.fixture
def edge_settings(edge_settings, tmp_path, request):
    if "tls" not in request.node.name:
        return edge_settings
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    command += " -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout key.pem -out cert.pem"
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    return edge_settings.model_copy(
        update={
            "tls_listen": f"127.0.0.1:{free_port()}",
            "tls_cert": tmp_path / "cert.pem",
            "tls_key": tmp_path / "key.pem",
        }
    )


async def test_tls_handshakes_that_never_end_are_bounded(
    running, edge_settings, monkeypatch, token, tmp_path
):
    monkeypatch.setattr(client_listener, "HEAD_S", 0.5)
    monkeypatch.setattr(admission, "MAX_PENDING", 5)
    port = int(edge_settings.tls_listen.rpartition(":")[2])
    before = len(list(FDS.iterdir()))
    stuck = [await asyncio.open_connection("127.0.0.1", port) for _ in range(20)]
    await asyncio.sleep(0.2)
    assert len(list(FDS.iterdir())) <= before + 20 + 5  # both ends are ours
    for reader, writer in stuck:
        await asyncio.wait_for(gone(reader), PATIENCE_S)
        writer.close()
    await until_async(lambda: _tls_answers(port, tmp_path))


async def _tls_answers(port, folder):
    context = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
    except OSError:
        return False
    writer.close()
    return True


async def test_plain_tls_does_without_traefik(running, edge_settings, token, tmp_path):
    context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
    port = int(edge_settings.tls_listen.rpartition(":")[2])
    _, session = await asyncio.get_running_loop().create_connection(
        lambda: Session(Role.CLIENT), "127.0.0.1", port, ssl=context, server_hostname="localhost"
    )
    async with echo_server() as server:
        client = await link(0, token["token"], to_port(server), session=session)
        opened = await client.open("tcp")
        reader, writer = await asyncio.open_connection("127.0.0.1", opened.port)
        payload = os.urandom(1_000_000)
        writer.write(payload)
        assert await reader.readexactly(len(payload)) == payload
        writer.close()
        await client.close()
