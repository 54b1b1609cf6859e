"""Dialling: who answers instead of an edge, TLS, certificates, and what a person is told."""

from __future__ import annotations

import asyncio
import socket
import ssl
from datetime import timedelta

import pytest
import trustme

from homeportd.tunnels import transport
from homeportd.tunnels.account import Account
from homeportd.tunnels.client import Client
from homeportd.tunnels.errors import Reason, TunnelError
from homeportd.tunnels.protocol import Kind

from .conftest import opened, running, until
from .small_edge import Edge


async def _problem(url: str, ca: str | None = None, *, said: str = "") -> TunnelError:
    """Why there is no link; what is `said` may take more than one attempt."""
    client = Client(lambda: Account(url, "hp_good", ca), rotated=lambda *_: True)
    async with running(client):
        await until(lambda: client.error is not None and said in client.error.detail)
        assert client.error is not None
        return client.error


@pytest.mark.parametrize(
    ("status", "said", "fix"),
    [
        (404, "is no edge of Homeport: it answers 404", ""),
        (301, "redirects to https://elsewhere.example/", "use --edge https://elsewhere.example"),
        (502, "its tunnel service does not", "homeport doctor"),
        (426, "does not take this client's protocol", ""),
    ],
)
async def test_answers_that_are_no_upgrade(edge, status, said, fix) -> None:
    edge.status = status
    problem = await _problem(f"http://127.0.0.1:{edge.port}")
    assert said in problem.detail
    assert problem.fix.endswith(fix)
    assert problem.reason is (Reason.VERSION if status == 426 else Reason.UNREACHABLE)


async def test_nobody_there(edge, monkeypatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert "cannot be reached" in (await _problem(f"http://127.0.0.1:{free.getsockname()[1]}")).detail
    assert "cannot be resolved" in (await _problem("https://no-such-name.invalid")).detail
    monkeypatch.setattr(transport, "CONNECT_S", 0.3)
    edge.silent = True
    # A machine that stands still for so short a time may not have connected before.
    await _problem(f"http://127.0.0.1:{edge.port}", said="says nothing")


async def test_what_answers_speaks_no_tls_or_no_http(serve) -> None:
    async def ssh(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
        await reader.read()

    port = await serve(ssh)
    assert "does not speak HTTP" in (await _problem(f"http://127.0.0.1:{port}")).detail
    assert "does not speak TLS" in (await _problem(f"https://127.0.0.1:{port}")).detail


@pytest.fixture
async def tls(nothing_left, tmp_path, ports):
    """Start an edge behind TLS; the value is its URL and the authority's file."""
    edges = []

    async def start(name: str = "localhost", *, raw: bool = False, **validity):
        authority = trustme.CA()
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name, **validity).configure_cert(context)
        made = Edge(ports)
        await made.start(tls=context, raw=raw)
        edges.append(made)
        return made, f"{'tls' if raw else 'https'}://localhost:{made.port}", str(tmp_path / "ca.pem")

    yield start
    for made in edges:
        await made.stop()


@pytest.mark.parametrize("raw", [False, True])
async def test_over_tls(tls, serve, raw) -> None:
    edge, url, ca = await tls(raw=raw)
    client = Client(lambda: Account(url, "hp_good", ca), rotated=lambda *_: True, links=2)
    async with running(client):
        tunnel = await opened(client, Kind.TCP, await serve())
        await until(lambda: len(edge.links) == 2)
        async with await edge.visit(tunnel.id) as stream:
            for _ in range(20):
                stream.write(bytes(100_000))
                assert await stream.readexactly(100_000) == bytes(100_000)


async def test_certificates_that_do_not_fit(tls) -> None:
    _, url, ca = await tls()
    assert "is not trusted" in (await _problem(url)).detail
    assert "cannot read certificates" in (await _problem(url, ca + ".none")).detail
    _, url, ca = await tls("elsewhere.example")
    assert "is for another name" in (await _problem(url, ca)).detail


async def test_certificates_and_clocks(tls) -> None:
    from datetime import UTC, datetime

    now = datetime.now(UTC)
    _, url, ca = await tls(not_before=now - timedelta(days=9), not_after=now - timedelta(days=1))
    problem = await _problem(url, ca)
    assert (problem.reason, "has expired" in problem.detail) == (Reason.CLOCK, True)
    _, url, ca = await tls(not_before=now + timedelta(days=1), not_after=now + timedelta(days=9))
    problem = await _problem(url, ca)
    assert (problem.reason, "clock is likely behind" in problem.detail) == (Reason.CLOCK, True)
