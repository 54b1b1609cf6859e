"""The PROXY header that a TCP server gets ahead of a visitor's bytes."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

import pytest
from pydantic import ValidationError

from homeportd.tunnels.model import TunnelSpec
from homeportd.tunnels.protocol import Kind
from homeportd.tunnels.proxy_protocol import SIGNATURE, header

from .conftest import opened

V4, V6, MAPPED = map(ip_address, ("203.0.113.7", "2001:db8::9", "::ffff:203.0.113.7"))
EDGE4, EDGE6 = map(ip_address, ("192.0.2.1", "2001:db8::1"))


@pytest.mark.parametrize(
    ("source", "server", "line"),
    [
        (V4, EDGE4, b"PROXY TCP4 203.0.113.7 192.0.2.1 40000 25\r\n"),
        (V6, EDGE6, b"PROXY TCP6 2001:db8::9 2001:db8::1 40000 25\r\n"),
        (MAPPED, ip_address("::ffff:192.0.2.1"), b"PROXY TCP4 203.0.113.7 192.0.2.1 40000 25\r\n"),
        (V4, EDGE6, b"PROXY TCP4 203.0.113.7 0.0.0.0 40000 25\r\n"),
        (V6, None, b"PROXY TCP6 2001:db8::9 :: 40000 25\r\n"),
        (ip_address("fe80::1%eth0"), EDGE6, b"PROXY TCP6 fe80::1 2001:db8::1 40000 25\r\n"),
    ],
)
def test_both_versions_say_the_same(source, server, line) -> None:
    assert header("v1", (source, 40000), (server, 25)) == line
    binary = header("v2", (source, 40000), (server, 25))
    kind, size = (0x11, 12) if b"TCP4" in line else (0x21, 36)
    assert binary[:16] == SIGNATURE + bytes([0x21, kind, 0, size])
    width = (size - 4) // 2
    texts = line.decode().split()
    assert ip_address(binary[16 : 16 + width]) == ip_address(texts[2])
    assert ip_address(binary[16 + width : 16 + 2 * width]) == ip_address(texts[3])
    assert binary[16 + 2 * width :] == (40000).to_bytes(2, "big") + (25).to_bytes(2, "big")


async def test_the_header_is_ahead_of_the_visitors_bytes_and_not_counted(edge, client, serve) -> None:
    heard = asyncio.get_running_loop().create_future()

    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.set_result(await reader.read())

    tunnel = await opened(client, Kind.TCP, await serve(server), proxy_protocol="v1")
    async with await edge.visit(tunnel.id) as stream:
        stream.write(b"EHLO")
        stream.write_eof()
        line, _, rest = (await heard).partition(b"\r\n")
    assert line.startswith(b"PROXY TCP")
    assert line.endswith(f" {tunnel.port}".encode())  # of an edge that says no address of its own
    assert (rest, tunnel.bytes[0]) == (b"EHLO", 4)


@pytest.mark.parametrize(("kind", "reason"), [("http", "X-Forwarded-For"), ("udp", "UDP has none")])
def test_other_kinds_have_none(kind, reason) -> None:
    with pytest.raises(ValidationError, match=reason):
        TunnelSpec(kind=kind, target="3000", proxy_protocol="v2")
