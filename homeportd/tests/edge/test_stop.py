"""The agent ends when it is told to, whoever is connected and however slowly they send or read."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import time

import pytest
import trustme
from edge_helper import HEAD, ended, link, over_socket, refuse, to_port

from ..freeports import free_port

STOP_S = 15  # of the 20 that its service manager gives it; it takes 5 where nothing else runs
WATCH = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest.fixture
def edge_settings(edge_settings, tmp_path):
    """Settings with a listener for TLS."""
    certificate = trustme.CA().issue_cert("localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "edge.pem")
    pem = tmp_path / "edge.pem"
    listener = {"tls_listen": f"127.0.0.1:{free_port()}", "tls_cert": pem, "tls_key": pem}
    return edge_settings.model_copy(update=listener)


@pytest.fixture
async def say():
    """Connect, say something, and stay."""
    made = []

    async def connect(where, data=b"", *, answer=b""):
        if isinstance(where, int):
            reader, writer = await asyncio.open_connection("127.0.0.1", where)
        else:
            reader, writer = await asyncio.open_unix_connection(where)
        made.append(writer)
        writer.write(data)
        if answer:
            assert (await asyncio.wait_for(reader.readexactly(len(answer)), 10)) == answer
        return writer

    yield connect
    for writer in made:
        writer.transport.abort()


@pytest.fixture
async def sockets():
    """Plain ones, closed after the test."""
    made = []

    def connect(port):
        made.append(socket.socket())
        made[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made[-1].connect(("127.0.0.1", port))
        return made[-1]

    yield connect
    for sock in made:
        sock.close()


@pytest.fixture
async def devserver():
    """Keeps its connections, and says more than is read."""

    async def serve(reader, writer):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            await reader.read(1)
            writer.write(bytes(64 * 1024 * 1024))
            await reader.read()
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.fixture
async def clients():
    """Links that are closed after the test."""
    made = []
    yield made
    for client in made:
        await client.close()


async def test_it_ends_in_time_whoever_is_there(
    start, settings, port, devserver, clients, say, sockets, tmp_path
):
    process = await start("-W", "always")
    async with over_socket(settings.socket("cli")) as api:
        token = (await api.post("/api/tokens", json={"name": "laptop", "scope": "tunnel"})).json()["token"]
        owner = (await api.post("/api/tokens", json={"name": "me"})).json()["token"]

    client = await link(port, token, to_port(devserver))
    clients.append(client)
    elsewhere = await link(port, token, refuse)
    clients.append(elsewhere)
    upstream = {}
    for name, owner_of_it in (("up", client), ("down", elsewhere)):
        id_ = (await owner_of_it.open("http", name=name)).tunnel
        route = (settings.edge.routes_dir / f"tunnel-{id_}.yml").read_text()
        upstream[name] = int(re.search(r'"url": "http://127.0.0.1:(\d+)"', route)[1])
    tcp = (await client.open("tcp")).port
    udp = (await client.open("udp")).port

    # An HTTP name's upstream: nothing said, idle after an answer, half a question; and with a page for an answer.
    await say(upstream["up"])
    await say(upstream["up"], b"GET / HTTP/1.1\r\n\r\n", answer=b"HTTP/1.1 204")
    await say(upstream["up"], b"GET / HT")
    await say(upstream["down"])
    await say(upstream["down"], b"GET / HT")
    await say(upstream["down"], b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n", answer=b"HTTP/1.1 502")
    # A TCP tunnel: open, half-closed, not read. A UDP tunnel.
    await say(tcp, b"x")
    (await say(tcp, b"x")).write_eof()
    sockets(tcp).sendall(b"GET / HTTP/1.1\r\n\r\nmore")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.sendto(b"x", ("127.0.0.1", udp))
    # The edge's own listeners: nothing said, half a head, a link that says nothing; TLS amid its handshake.
    await say(port)
    await say(port, HEAD[:-2])
    await say(port, HEAD, answer=b"HTTP/1.1 101")
    tls = int(settings.edge.tls_listen.rpartition(":")[2])
    await say(tls)
    await say(tls, b"\x16\x03\x01\x02\x00\x01\x00")
    # The admin origin: a scrape, a body that does not end, an answer that is not read, a dashboard.
    admin = f"Host: admin.tunnel.localhost\r\nAuthorization: Bearer {owner}\r\n".encode()
    await say(port, b"GET /metrics HTTP/1.1\r\n" + admin + b"\r\n", answer=b"HTTP/1.1 200")
    body = b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
    await say(port, b"POST /api/tokens HTTP/1.1\r\n" + admin + body)
    sockets(port).sendall((b"GET /api/openapi.json HTTP/1.1\r\n" + admin + b"\r\n") * 100)
    watch = b"GET /api/events HTTP/1.1\r\n" + admin + WATCH
    await say(port, watch, answer=b"HTTP/1.1 101")
    # The agent's sockets, which Caddy and the command line ask.
    for name in ("web", "cli", "gateway", "relay"):
        await say(settings.socket(name))
    for name in ("web", "cli"):
        await say(settings.socket(name), b"POST /api/tokens HTTP/1.1\r\n" + admin + body)
    await say(settings.socket("web"), watch, answer=b"HTTP/1.1 101")
    await asyncio.sleep(0.5)  # until all of it has arrived

    process.terminate()
    begun = time.monotonic()
    assert await ended(process) == 0
    assert time.monotonic() - begun < STOP_S
    log = (tmp_path / "agent.log").read_text()
    assert "Warning" not in log
    assert "Cancelled" not in log
