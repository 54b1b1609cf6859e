"""The scanner of heads: random conversations, in pieces of any size, against what was put together."""

from __future__ import annotations

import random

import pytest

from homeportd.tunnels.http.messages import MAX_PENDING, Exchange, TooManyRequests
from homeportd.tunnels.http.names import LocalNames
from homeportd.tunnels.http.scanner import MAX_CHUNK_LINE, MAX_HEAD

NAMES = LocalNames("localhost", 3000, "localhost:3000", lambda _address: False)
ABSOLUTE, RELATIVE = b"Location: http://localhost:3000/next", b"Location: /next"
ASKED = b"GET / HTTP/1.1\r\nHost: app.example.com\r\n\r\n"
TOLD = b"GET / HTTP/1.1\r\nHost: localhost:3000\r\n\r\n"


def exchange(names=NAMES):
    return Exchange(names, "https")


def cut(dice, data):
    """The data in pieces, most of them small."""
    at = 0
    while at < len(data):
        size = dice.choice((1, 1, 1, 2, 5, 40, 1000))
        yield data[at : at + size]
        at += size


def body_of(dice):
    """A body that looks like heads."""
    return b"".join(
        dice.choice(
            (b"\r\n", b"\r\n\r\n", b"\n\n", ABSOLUTE, ASKED, b"HTTP/1.1 200 OK\r\n", b"0\r\n\r\n", b"x" * 50)
        )
        for _ in range(dice.randrange(6))
    )


def chunked(dice, body):
    out, at = b"", 0
    while at < len(body):
        size = dice.randrange(1, 30)
        piece = body[at : at + size]
        size_line = b"%X" if dice.random() < 0.5 else b'00%x;a="b"'
        out += size_line % len(piece) + b"\r\n" + piece + b"\r\n"
        at += size
    trailers = ABSOLUTE + b"\r\n" if dice.random() < 0.3 else b""
    return out + b"0\r\n" + trailers + b"\r\n"


def request_of(dice, method):
    body = body_of(dice) if method == b"POST" else b""
    start = method + b" / HTTP/1.1\r\nHost: "
    framing = b""
    if body and dice.random() < 0.5:
        framing, body = b"Transfer-Encoding: chunked\r\n", chunked(dice, body)
    elif body:
        framing = b"Content-Length: %d\r\n" % len(body)
    rest = b"\r\n" + framing + b"\r\n" + body
    return start + b"app.example.com" + rest, start + b"localhost:3000" + rest


def response_of(dice, method):
    """What the server says, and what the visitor must get."""
    body, framing = body_of(dice), b""
    kind = dice.choice(("length", "chunked", "both", "none"))
    status = b"204 No Content" if kind == "none" else b"302 Found"
    if kind == "length":
        framing = b"content-length:%d \r\n" % len(body)
    elif kind != "none":
        plain, body = body, chunked(dice, body)
        framing = b"Transfer-Encoding:  Chunked\r\n"
        if kind == "both":
            framing += b"Content-Length: %d\r\n" % len(plain)
    if kind == "none" or method == b"HEAD":
        body = b""
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: <%s>; rel=preload\r\n\r\n" if dice.random() < 0.2 else b""
    said = (interim % b"http://127.0.0.1:3000/a" if interim else b"") + b"HTTP/1.1 " + status + b"\r\n"
    heard = (interim % b"/a" if interim else b"") + b"HTTP/1.1 " + status + b"\r\n"
    rest = b"\r\n" + framing + b"\r\n" + body
    return said + ABSOLUTE + rest, heard + RELATIVE + rest


@pytest.mark.parametrize("seed", range(300))
def test_conversations_in_pieces(seed):
    dice = random.Random(seed)
    made = exchange()
    for _ in range(dice.randrange(1, 8)):
        method = dice.choice((b"GET", b"HEAD", b"POST"))
        for (said, heard), feed in (
            (request_of(dice, method), made.request),
            (response_of(dice, method), made.response),
        ):
            got = b"".join(feed(piece) for piece in cut(dice, said))
            assert got == heard


def test_a_body_to_the_end_passes_as_it_is():
    made = exchange()
    made.request(ASKED)
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    assert (
        made.response(head + b"HTTP/1.1 302 Found\r\n" + ABSOLUTE)
        == head + b"HTTP/1.1 302 Found\r\n" + ABSOLUTE
    )
    assert made.response(b"\r\n\r\n") == b"\r\n\r\n"


def test_nothing_is_rewritten_after_an_upgrade():
    made = exchange()
    assert made.request(ASKED) == TOLD
    switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
    assert made.response(switch + ASKED) == switch + ASKED
    assert made.request(ASKED[:20]) == ASKED[:20]
    assert made.request(ASKED[20:]) == ASKED[20:]


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\nLocation: http://localhost:3000/\n\n",  # bare LF
        b"HTTP/1.1 200 OK\r\nA: b\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
        b"HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5 5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * MAX_CHUNK_LINE,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"a" * MAX_HEAD,
    ],
)
@pytest.mark.parametrize("size", [1, 10_000_000])
def test_what_cannot_be_followed_passes_at_once(said, size):
    """And all that comes after it."""
    made = exchange()
    made.request(ASKED)
    got = b"".join(made.response(said[at : at + size]) for at in range(0, len(said), size))
    assert got == said
    more = b"HTTP/1.1 302 Found\r\n" + ABSOLUTE + b"\r\n\r\n"
    assert made.response(more) == more


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\nHost: app.example.com\n\n",
        b"POST / HTTP/1.1\r\nHost: app.example.com\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: app.example.com\r\nContent-Length : 5\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: app.example.com\r\nTransfer-Encoding: chunked, gzip\r\n\r\n",
    ],
)
def test_no_request_is_rewritten_behind_one_of_an_uncertain_length(said):
    made = exchange()
    assert made.request(said) + made.request(ASKED) == said + ASKED


def test_the_beginning_of_a_head_is_passed_on_at_the_end():
    made = exchange()
    assert made.response(b"HTTP/1.1 200") == b""
    assert made.response_end() == b"HTTP/1.1 200"
    assert made.request(b"GET / HT") == b""
    assert made.request_end() == b"GET / HT"


def test_a_head_is_held_up_to_its_bound():
    made = exchange()
    start = b"HTTP/1.1 200 OK\r\nA: "
    assert made.response(start) + made.response(b"a" * (MAX_HEAD // 2)) == b""
    assert made.response(b"a" * MAX_HEAD) == start + b"a" * (MAX_HEAD // 2 + MAX_HEAD)


def test_requests_without_a_response_are_bounded():
    made = exchange()
    for _ in range(MAX_PENDING):
        made.request(ASKED)
    with pytest.raises(TooManyRequests):
        made.request(ASKED)
