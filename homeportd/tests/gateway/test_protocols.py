"""Servers that speak no plain HTTP/1.1: HTTPS, secure WebSockets, HTTP/2 in clear, and what is no HTTP at all."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from contextlib import asynccontextmanager

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import pytest
import trustme


@asynccontextmanager
async def listening(serve, *, tls=False):
    """A server of this process on loopback; the value is its port."""
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("dev.test").configure_cert(context)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


class Web:
    """An HTTP/1.1 server that says the body it was sent; `seen`: the first line of each request, `last`: a head."""

    def __init__(self):
        self.seen = []
        self.last = b""

    async def __call__(self, reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.seen.append(head.split(b"\r\n")[0])
                lower = self.last = head.lower()
                if b"upgrade: echo" in lower:
                    writer.write(
                        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
                    )
                    while data := await reader.read(65536):
                        writer.write(data)
                    return
                size = int(lower.partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
                body = await reader.readexactly(size) or b"hello"
                status = b"400 Bad Request" if b"/bad" in self.seen[-1] else b"200 OK"
                writer.write(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))
                if b"connection: close" in lower:
                    return
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


async def upgraded(gateway, port):
    """The answer to an upgrade, and what the server says back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.number)
    head = f"GET /live HTTP/1.1\r\nHost: {gateway.host(port)}\r\n"
    writer.write(f"{head}Connection: Upgrade\r\nUpgrade: echo\r\n\r\n".encode())
    async with asyncio.timeout(10):
        answer = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " in answer:
            writer.write(b"ping")
            answer += await reader.readexactly(4)
    writer.close()
    return answer


@pytest.fixture
def alone(make_gateway, tmp_path):
    """A gateway without a dev server of its own."""
    return lambda: make_gateway(tmp_path)


@pytest.mark.parametrize("first", ["page", "post", "upgrade"])
async def test_an_https_server_is_dialled_by_tls_from_the_first_request_on(alone, first):
    web = Web()
    async with listening(web, tls=True) as port, alone() as gateway:
        await gateway.listening(port)
        await gateway.share(port)
        for _ in range(2):
            match first:
                case "page":
                    assert (await gateway.get(port)).text == "hello"
                case "post":
                    assert (await gateway.ask("POST", port, "/", content=b"x" * 5000)).text == "x" * 5000
                case "upgrade":
                    assert (await upgraded(gateway, port)).endswith(b"ping")
        assert len(web.seen) == 2, "each request came once"
        await gateway.get(port, headers={"Origin": gateway.origin(port)})
        assert f"origin: https://localhost:{port}\r\n".encode() in web.last
        assert (await upgraded(gateway, port)).endswith(b"ping")


async def test_a_plain_server_sees_the_requests_of_visitors_alone(alone):
    connections = []
    web = Web()

    async def counted(reader, writer):
        connections.append(1)
        await web(reader, writer)

    async with listening(counted) as port, alone() as gateway:
        await gateway.listening(port)
        await gateway.share(port)
        assert connections == [], "nobody asked for it"
        assert (await gateway.get(port)).text == "hello"
        assert (await gateway.get(port, "/second")).text == "hello"
        assert web.seen == [b"GET / HTTP/1.1", b"GET /second HTTP/1.1"]
        assert len(connections) == 2


async def test_a_plain_server_may_say_400_at_first(alone):
    web = Web()
    async with listening(web) as port, alone() as gateway:
        await gateway.listening(port)
        await gateway.share(port)
        answer = await gateway.ask("POST", port, "/bad", content=b"why")
        assert (answer.status_code, answer.text) == (400, "why")
        assert web.seen.count(b"POST /bad HTTP/1.1") == 1


async def test_a_server_that_refuses_plain_requests_by_http_is_https_all_the_same(alone):
    """As Go and nginx do: 400 in clear on a port of TLS."""
    web = Web()
    async with listening(web, tls=True) as secret:

        async def front(reader, writer):
            first = await reader.read(65536)
            if first[:1] != b"\x16":
                writer.write(
                    b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
                )
                writer.close()
                return
            inner, outer = await asyncio.open_connection("127.0.0.1", secret)
            outer.write(first)

            async def pump(source, target):
                try:
                    while data := await source.read(65536):
                        target.write(data)
                except OSError:
                    pass
                finally:
                    target.close()

            await asyncio.gather(pump(reader, outer), pump(inner, writer))

        async with listening(front) as port, alone() as gateway:
            await gateway.listening(port)
            await gateway.share(port)
            assert (await gateway.get(port)).text == "hello"


async def test_what_is_no_http_is_told_as_such(alone):
    async def database(reader, writer):
        """Says an error in its own protocol, as PostgreSQL does."""
        await reader.read(8)
        writer.write(b"E\x00\x00\x00\x8bSFATAL\x00unsupported frontend protocol")
        writer.close()

    async with listening(database) as port, alone() as gateway:
        await gateway.listening(port)
        await gateway.share(port)
        page = await gateway.get(port, headers={"Accept": "text/html"})
        assert (page.status_code, f"homeport tcp {port}" in page.text) == (502, True)
        answer = await gateway.get(port)
        assert answer.json()["fix"] == f"homeport tcp {port}"


async def test_a_database_that_says_nothing_is_known_by_its_program(alone, tmp_path):
    """PostgreSQL closes on what is not its own protocol."""
    program = tmp_path / "postgres"
    program.symlink_to(sys.executable)
    script = (
        "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True)"
    )
    script += "\nwhile True: s.accept()[0].close()"
    with subprocess.Popen([program, "-c", script], stdout=subprocess.PIPE, text=True) as server:
        try:
            port = int(server.stdout.readline())
            async with alone() as gateway:
                await gateway.listening(port)
                await gateway.share(port)
                page = await gateway.get(port, headers={"Accept": "text/html"})
                assert (page.status_code, f"homeport tcp {port}" in page.text) == (502, True)
        finally:
            server.kill()


async def test_a_server_that_hangs_up_is_not_taken_for_another_protocol(gateway, dev):
    await gateway.listening(dev.port)
    await gateway.share(dev.port)
    assert (await gateway.get(dev.port, "/hang-up")).status_code == 502
    assert (await gateway.get(dev.port)).status_code == 200


async def grpc_like(reader, writer):
    """A server of HTTP/2 in clear alone: says each piece of a request back as it comes, with trailers at the end."""
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    connection.initiate_connection()
    writer.write(connection.data_to_send())
    try:
        while data := await reader.read(65536):
            for event in connection.receive_data(data):
                match event:
                    case h2.events.RequestReceived():
                        fields = [(":status", "200"), ("content-type", "application/grpc")]
                        connection.send_headers(event.stream_id, fields)
                    case h2.events.DataReceived():
                        connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                        if event.data:
                            connection.send_data(event.stream_id, event.data)
                    case h2.events.StreamEnded():
                        connection.send_headers(event.stream_id, [("grpc-status", "0")], end_stream=True)
            writer.write(connection.data_to_send())
    except (OSError, h2.exceptions.ProtocolError, asyncio.CancelledError):
        pass
    finally:
        writer.close()


async def test_grpc_streams_both_ways_and_ends_with_trailers(alone):
    async with listening(grpc_like) as port, alone() as gateway:
        await gateway.listening(port)
        await gateway.share(port)
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.number)
        connection = h2.connection.H2Connection()
        connection.initiate_connection()
        fields = {
            ":method": "POST",
            ":scheme": "http",
            ":authority": gateway.host(port),
            ":path": "/echo.Echo/All",
        }
        connection.send_headers(
            1, [*fields.items(), ("content-type", "application/grpc"), ("te", "trailers")]
        )

        async def answer(kind):
            async with asyncio.timeout(20):
                while True:
                    writer.write(connection.data_to_send())
                    for event in connection.receive_data(await reader.read(65536)):
                        if isinstance(event, kind):
                            return event

        for piece in (b"one", b"two"):
            connection.send_data(1, piece)
            assert (await answer(h2.events.DataReceived)).data == piece
        connection.end_stream(1)
        assert (b"grpc-status", b"0") in (await answer(h2.events.TrailersReceived)).headers
        writer.close()


async def test_a_browser_at_a_server_of_http2_alone_is_served_from_the_second_request_on(alone):
    async with listening(grpc_like) as port, alone() as gateway:
        await gateway.listening(port)
        await gateway.share(port)
        first = await gateway.get(port, headers={"Accept": "text/html"})
        assert (first.status_code, "HTTP/2" in first.text) == (502, True)
        assert (await gateway.get(port)).status_code == 200
