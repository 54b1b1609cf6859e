"""Local servers that speak TLS, or HTTP/2 alone: recognised, or said by the target; the real client and Traefik."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from itertools import takewhile

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import pytest
import trustme
from edge_helper import tunnelled, visiting

HTTPS = {"url": "https://{name}.tunnel.localhost"}
OWN = "https://app.tunnel.localhost"


@pytest.fixture
def edge_settings(edge_settings, request):
    return edge_settings.model_copy(update=getattr(request, "param", HTTPS))


def answer(plain):
    """How a server says that it wants TLS: `close`, an `alert`, or a `page` as of Go and nginx."""
    return {
        "close": b"",
        "alert": b"\x15\x03\x01\x00\x02\x02\x46",
        "page": b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
    }[plain]


@pytest.fixture
def tls_server():
    """A function that starts a server in TLS, which echoes heads and bodies; its port. Connections are kept."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("example.test").configure_cert(context)
    context.set_alpn_protocols(["h2", "http/1.1"])
    listeners = []

    def serve(sock, plain):
        try:
            if sock.recv(1, socket.MSG_PEEK) != b"\x16":
                sock.recv(65536)
                sock.sendall(answer(plain))
                return
            with context.wrap_socket(sock, server_side=True) as secure, secure.makefile("rwb") as file:
                assert secure.selected_alpn_protocol() == "http/1.1"
                while head := [*takewhile(bytes.strip, iter(file.readline, b""))]:
                    lengths = [int(line[15:]) for line in head if line.lower().startswith(b"content-length:")]
                    body = b"".join(head) + file.read(sum(lengths))
                    file.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
                    file.flush()
        except OSError:
            pass
        finally:
            sock.close()

    def accept(listener, plain):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(sock, plain), daemon=True).start()

    def start(plain="close"):
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=accept, args=(listener, plain), daemon=True).start()
        return listener.getsockname()[1]

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


async def test_a_server_that_wants_tls_gets_it(traefik, port, token, tls_server):
    for plain in ("close", "alert", "page"):
        number = tls_server(plain)
        spec = {"target": str(number), "name": "app", "host": f"localhost:{number}"}
        async with tunnelled(port, token["token"], **spec), visiting(traefik, OWN):
            pass  # Traefik has the route from here on
        async with (
            tunnelled(port, token["token"], **spec) as tunnel,
            visiting(traefik, OWN, ready=0) as browser,
        ):
            # Nothing has shown yet what the server speaks: the request is said again, with its body.
            response = await browser.ask("POST", content=b"x" * 30_000, Origin=OWN)
            assert response.text.endswith("x" * 30_000)
            assert f"Origin: https://localhost:{number}\r\n" in response.text
            assert "X-Forwarded-Proto: https\r\n" in response.text
            assert (tunnel.recognised, tunnel.failed, tunnel.server_problem) == ("https", 0, None)
    spec = {"target": f"https://localhost:{number}", "name": "app"}
    async with tunnelled(port, token["token"], **spec) as tunnel, visiting(traefik, OWN) as browser:
        assert (await browser.ask("POST", content=b"said")).text.endswith("said")
        assert tunnel.server_problem is None


async def test_a_plain_server_that_was_called_https(traefik, port, token):
    async def refuse(reader, writer):
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    number = server.sockets[0].getsockname()[1]
    async with tunnelled(port, token["token"], target=f"https://localhost:{number}", name="app") as tunnel:
        async with visiting(traefik, OWN, ready=502) as browser:
            assert "does not answer" in (await browser.ask()).text
        assert "does not speak TLS" in tunnel.status()["problem"]["detail"]
        assert tunnel.status()["problem"]["fix"] == f"homeport http localhost:{number}, without https://"
    server.close()


async def test_a_server_without_http_is_named_with_what_carries_it(traefik, port, token):
    async def greet(reader, writer):
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    number = server.sockets[0].getsockname()[1]
    async with tunnelled(port, token["token"], target=str(number), name="app") as tunnel:
        async with visiting(traefik, OWN, ready=502) as browser:
            assert "does not answer" in (await browser.ask()).text
        assert tunnel.status()["problem"]["fix"] == f"homeport tcp localhost:{number}"
    server.close()


async def test_tls_to_another_machine_is_verified(traefik, port, token, tls_server, monkeypatch):
    """The name is of this machine only because the resolver says so."""
    number = tls_server()
    monkeypatch.setattr(
        "homeportd.tunnels.connection.look_up", lambda _host, at, _kind: _resolved(("127.0.0.1", at))
    )
    async with tunnelled(port, token["token"], target=f"https://nas.example:{number}", name="app") as tunnel:
        async with visiting(traefik, OWN, ready=502):
            pass
        assert "certificate of nas.example" in tunnel.status()["problem"]["detail"]


async def _resolved(*addresses):
    return [(0, 0, 0, "", address) for address in addresses]


async def http2_server(reader, writer):
    """Echoes the body of each stream, and ends it with a trailer; knows no HTTP/1.1."""
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    connection.initiate_connection()
    writer.write(connection.data_to_send())
    try:
        while data := await reader.read(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    connection.send_headers(event.stream_id, [(":status", "200"), ("x-version", "2")])
                elif isinstance(event, h2.events.DataReceived):
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    connection.send_data(event.stream_id, event.data)
                elif isinstance(event, h2.events.StreamEnded):
                    connection.send_headers(event.stream_id, [("grpc-status", "0")], end_stream=True)
            writer.write(connection.data_to_send())
    except (h2.exceptions.ProtocolError, ConnectionError):
        pass
    finally:
        writer.close()


async def test_http_2_alone_is_recognised_and_carried(traefik, port, token):
    server = await asyncio.start_server(http2_server, "127.0.0.1", 0)
    number = server.sockets[0].getsockname()[1]
    for scheme in ("", "h2c://"):
        async with tunnelled(
            port, token["token"], target=f"{scheme}localhost:{number}", name="app"
        ) as tunnel:
            async with visiting(traefik, OWN, http2=True) as browser:
                response = await browser.ask("POST", content=b"x" * 100_000)
                assert (response.headers["x-version"], response.text) == ("2", "x" * 100_000)
            assert (tunnel.speaks, tunnel.server_problem) == ("h2c", None)
    server.close()
