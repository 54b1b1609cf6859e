"""Mutated input for each parser of what strangers send: the right word or a refusal, never another exception.

yamux itself is fuzzed by homeportd/tests/yamux/test_fuzz.py; here are the texts and frames of Homeport's protocol.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from homeportd.edge.listeners.client import asks_for_link
from homeportd.edge.model import Refused, networks
from homeportd.edge.names import check_name
from homeportd.edge.traefik.access_log import read_line
from homeportd.tunnels import protocol
from homeportd.tunnels.protocol import BadMessage

SEEDS: Final[dict[str, tuple[bytes, ...]]] = {
    "from_client": (
        b'{"type":"hello","version":1,"token":"hp_abc","run":"r1","link":0,"client":"laptop","agent":"homeport/1"}',
        b'{"type":"open","request":7,"kind":"tcp","port":20000,"allow":["10.0.0.0/8","::1"],"limits":{}}',
        b'{"type":"open","request":1,"kind":"http","name":"a","host":"localhost:3000","passcode":"x"}',
        b'{"type":"close","tunnel":"0123456789ab"}',
        b'{"type":"rotated"}',
    ),
    "from_edge": (
        b'{"type":"welcome","version":1,"edge":"e","url":"u","host":"h","tcp_ports":"1-2","udp_ports":"1-2","time":"t"}',
        b'{"type":"opened","request":7,"tunnel":"ab","address":"h:1","port":1}',
        b'{"type":"refused","request":7,"reason":"name-taken","detail":"d","fix":"f"}',
        b'{"type":"closed","tunnel":"ab","reason":"taken-over"}',
        b'{"type":"rotate","token":"hp_x","grace_s":60}',
    ),
    "introduction": (b'{"tunnel":"0123456789ab","address":"203.0.113.7","port":50000}',),
    "head": (
        b"GET /.homeport/connect HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: homeport-tunnel",
        b"GET / HTTP/1.1\r\nHost: t\r\nContent-Length: 0",
    ),
    "access log": (
        b'{"RouterName":"homeport-ab@file","ClientHost":"203.0.113.7","ClientPort":"5","RequestMethod":"GET",'
        b'"RequestPath":"/","DownstreamStatus":200,"DownstreamContentSize":1,"RequestContentSize":0,"Duration":1,'
        b'"StartUTC":"2026-11-21T10:00:00.1Z"}',
    ),
    "allowlist": (b"10.0.0.0/8", b"::ffff:10.0.0.1", b"2001:db8::/32", b"fe80::1%eth0"),
    "name": (b"my-app", b"xn--abc", b"a" * 63),
}
PIECES: Final = (
    b"\0", b"\n", b"\r\n", b"\r\n\r\n", b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"null", b"true", b"-1",
    b"1e999", b"99999999999999999999", b"\\u0000", b"\\ud800", b"\xff\xfe", b"\xc3\x28", b"\xe2\x80\xae", b"%",
    b"/33", b"..", b"NaN", b"Transfer-Encoding: chunked", b"[[[[[[[[[[[[[[[[", b"HTTP/1.1", b"type", b"Upgrade: x",
)  # fmt: skip


def mutated(dice: random.Random, seeds: tuple[bytes, ...]) -> bytes:
    """One of the seeds, with something wrong in it, mostly."""
    data = bytearray(dice.choice(seeds))
    for _ in range(dice.choice((0, 1, 1, 2, 4))):
        at = dice.randrange(len(data) + 1)
        action = dice.randrange(5)
        if action == 0 and data:
            data[at % len(data)] = dice.randrange(256)
        elif action == 1:
            data[at:at] = dice.choice(PIECES)
        elif action == 2:
            del data[at : at + dice.randrange(1, 9)]
        elif action == 3:
            data[at:] = dice.choice(PIECES)
        else:
            other = dice.choice(seeds)
            data[at:] = other[min(at, len(other)) :]
    return bytes(data)


def _readers() -> dict[str, tuple[Callable[[bytes], Any], type[Exception] | tuple[type[Exception], ...]]]:
    def allowlist(data: bytes) -> object:
        return networks((data.decode("utf-8", "replace"),))

    def name(data: bytes) -> object:
        return check_name(data.decode("utf-8", "replace"))

    return {
        "from_client": (protocol.from_client, BadMessage),
        "from_edge": (protocol.from_edge, BadMessage),
        "introduction": (protocol.introduction, BadMessage),
        "head": (asks_for_link, ()),
        "access log": (read_line, ()),
        "allowlist": (allowlist, Refused),
        "name": (name, Refused),
    }


def fuzz(count: int, seed: int = 1) -> dict[str, dict[str, int]]:
    """How many inputs each reader took and refused."""
    dice = random.Random(seed)
    done = {kind: {"taken": 0, "refused": 0} for kind in SEEDS}
    readers = list(_readers().items())
    for number in range(count):
        kind, (read, refusal) = readers[number % len(readers)]
        data = mutated(dice, SEEDS[kind])
        try:
            answer = read(data)
        except refusal:
            done[kind]["refused"] += 1
        except Exception as error:
            raise AssertionError(f"{kind} said {error!r} to {data!r}") from error
        else:
            done[kind]["refused" if answer in (None, False) else "taken"] += 1
    return done
