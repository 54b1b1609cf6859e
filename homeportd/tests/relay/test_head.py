"""The relay's reading of a request: nothing that two parsers could read in two ways gets through."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeportd.relay.head import BadHead, parse, status_of

OURS = b"\r\nHost: localhost:5173\r\nX-Homeport-Port: 5173\r\nX-Homeport-Grant: share:ab.1"


def head(*lines: bytes, first: bytes = b"GET /x HTTP/1.1") -> bytes:
    return b"\r\n".join((first + OURS, *lines))


def test_an_upgrade_keeps_what_makes_it_one():
    found = parse(head(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key:  a==\t"))
    assert (found.port, found.right, found.upgrade, found.length) == (5173, "share:ab.1", True, 0)
    assert found.raw == (
        b"GET /x HTTP/1.1\r\nHost: localhost:5173\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a==\r\n"
        b"Connection: Upgrade\r\n\r\n"
    )


def test_anything_else_is_told_to_be_the_only_request():
    found = parse(
        head(
            b"Connection: keep-alive, x",
            b"Keep-Alive: 5",
            b"Upgrade: h2c",
            b"Content-Length: 7",
            first=b"POST / HTTP/1.1",
        )
    )
    assert (found.upgrade, found.length) == (False, 7)
    assert found.raw.endswith(b"Content-Length: 7\r\nConnection: close\r\n\r\n")
    assert b"pgrade" not in found.raw
    assert not parse(head(b"Upgrade: websocket", b"Content-Length: 7")).upgrade


@pytest.mark.parametrize(
    "lines",
    [
        (b"Content-Length: 1", b"Content-Length: 1"),
        (b"Content-Length: 1, 1",),
        (b"Content-Length: +1",),
        (b"Content-Length: 0x1",),
        (b"Content-Length: 1 ", b"Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: chunked",),
        (b"transfer-encoding : chunked",),
        (b"X: a\nX-Homeport-Grant: owner:x",),
        (b"X: a\rX-Homeport-Grant: owner:x",),
        (b"X: a", b" folded: b"),
        (b"X: a", b"\tfolded"),
        (b"X : a",),
        (b": a",),
        (b"no colon",),
        (b"",),
        (b"X: a\x00b",),
        (b"X: a\x7fb",),
        (b"Host: another",),
        (b"X-Homeport-Grant: owner:x",),
        (b"x-homeport-port: 22",),
    ],
)
def test_what_could_smuggle_is_refused(lines):
    with pytest.raises(BadHead):
        parse(head(*lines))


@pytest.mark.parametrize(
    "first",
    [b"GET  / HTTP/1.1", b"GET /\x00 HTTP/1.1", b"GET / HTTP/1.0", b"GET / HTTP/2", b"GET /", b"", b"GET / x HTTP/1.1",
     b"G\xc3T / HTTP/1.1", b" GET / HTTP/1.1", b"GET /\tHTTP/1.1", b"GET / HTTP/1.1 "],
)  # fmt: skip
def test_a_request_line_is_exact(first):
    with pytest.raises(BadHead):
        parse(head(first=first))


@pytest.mark.parametrize("port", [b"", b"0", b"65536", b"-1", b"5173x", b"\xb2", b"05173999"])
def test_a_port_is_needed(port):
    with pytest.raises(BadHead):
        parse(b"GET / HTTP/1.1\r\nHost: x\r\nX-Homeport-Port: " + port)


@given(st.binary(max_size=300))
def test_whatever_passes_is_one_request_and_has_nothing_of_ours(noise):
    try:
        found = parse(head(b"X-Noise: " + noise))
    except BadHead:
        return
    block, end, rest = found.raw.partition(b"\r\n\r\n")
    assert end
    assert not rest
    assert b"\n" not in block.replace(b"\r\n", b"")
    assert b"\r" not in block.replace(b"\r\n", b"")
    assert not [line for line in block.split(b"\r\n") if line.lower().startswith(b"x-homeport-")]


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_noise_never_does_more_than_fail(lines):
    with suppress(BadHead):
        parse(b"\r\n".join(lines))


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 101 Switching Protocols\r\n", 101),
        (b"HTTP/1.1 101\r\n", 101),
        (b"HTTP/1.1 426 Upgrade Required\r\n", 426),
        (b"HTTP/1.0 200 OK\r\n", 200),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 101 Switching\r\n", 101),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", 200),
        (b"HTTP/1.1 100 Continue\r\n", None),
        (b"HTTP/1.1 1", None),
        (b"", None),
        (b"SSH-2.0-OpenSSH", 0),
        (b"HTTP/1.1 abc Huh\r\n", 0),
    ],
)
def test_the_final_status_is_found(answer, status):
    assert status_of(answer) == status


@given(st.binary(max_size=200), st.integers(0, 200))
def test_the_status_does_not_depend_on_how_it_arrives(answer, cut):
    early = status_of(answer[:cut])
    assert early is None or early == status_of(answer)
