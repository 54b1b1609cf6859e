"""Peers that are slow, stop half-way or send garbage, at each listener of the edge: refused, and memory is flat."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from homeportd.assembly.edge import GIVE_BACK_S
from homeportd.edge.listeners.client import ALPN, HEAD_S
from homeportd.tunnels import protocol

from .processes import Edge, descriptors, edge, memory, peer, until
from .visitors import visit

MOMENT_S: Final = 3.0  # beside the time that a listener waits
GROWTH_MOST: Final = 24 << 20  # bytes by which the edge may grow, however much is thrown at it,
SLOW_MOST: Final = 64 << 10  # and for each slow connection at a time besides; uvloop's TLS has 256 KiB each
LEFT_MOST: Final = 8 << 20  # bytes that are still there when the edge has given back what is free
FILES_SPARE: Final = 16
LINKS_SPARE: Final = 5  # of the good client, and of who came last
AT_A_TIME: Final = 50
HEAD: Final = (
    f"GET {protocol.PATH} HTTP/1.1\r\nHost: tunnel.localhost\r\nConnection: Upgrade\r\n"
    f"Upgrade: {protocol.UPGRADE}\r\n\r\n"
).encode()
OPEN: Final = bytes.fromhex("000100010000000100000000")  # stream 1
Way = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def hostile(
    folder: Path,
    slow_peers: int,
    inputs: int,
    seed: int = 1,
    *,
    patience: float = HEAD_S,
    rest: bool = False,
    slack: float = 0,
) -> dict[str, Any]:
    """So many slow connections at each listener, and so many hostile inputs over sockets.

    `rest`: until the edge has given memory back, and see that it is as small as it was.
    `slack`: seconds by which a machine with other work may be late.
    """
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - nothing else runs yet
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.set_alpn_protocols([ALPN])
    async with edge(folder, tls=True, haste={"patience": patience}) as here:
        here.authority.configure_trust(trust)
        good = await peer(
            here, [{"kind": "tcp", "port": here.first}, {"kind": "http", "name": "good"}], links=2
        )
        try:
            good.go()
            await good.next("live")
            return await _Attack(here, trust, random.Random(seed), patience + MOMENT_S + slack).all(
                slow_peers, inputs, rest=rest
            )
        finally:
            await good.kill()


class _Attack:
    def __init__(self, here: Edge, trust: ssl.SSLContext, dice: random.Random, shown_out: float) -> None:
        self.edge = here
        self.trust = trust
        self.dice = dice
        self.shown_out = shown_out
        self.most = 0
        self.slowest = 0.0  # seconds that the good visitor waited for its first byte
        self.served = 0

    # Listeners

    async def plain(self) -> Way:
        return await asyncio.open_connection("127.0.0.1", self.edge.port)

    async def raw_tls(self) -> Way:
        """The TLS listener, before TLS."""
        return await asyncio.open_connection("127.0.0.1", self.edge.tls_port)

    async def tls(self) -> Way:
        return await asyncio.open_connection("127.0.0.1", self.edge.tls_port, ssl=self.trust)

    async def upgraded(self) -> Way:
        reader, writer = await self.plain()
        writer.write(HEAD)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 101 ")
        return reader, writer

    # What is sent

    def nonsense(self) -> bytes:
        return self.dice.randbytes(self.dice.choice((1, 11, 12, 13, 100, 4000)))

    def frames(self) -> bytes:
        """Headers that could be of yamux, their lengths what they like: oversize, negative, of streams unknown."""
        parts = []
        for _ in range(self.dice.randrange(1, 30)):
            kind, flags = self.dice.choice((0, 0, 1, 2, 3, 9)), self.dice.choice((0, 1, 2, 4, 8, 5, 0xFFFF))
            length = self.dice.choice((0, 1, 64, 0x40000, 0x40001, 0x7FFFFFFF, 0xFFFFFFFF))
            parts.append(b"\0" + bytes((kind,)) + flags.to_bytes(2, "big"))
            parts.append(self.dice.randrange(8).to_bytes(4, "big") + length.to_bytes(4, "big"))
            parts.append(bytes(min(length, 64)))
        return b"".join(parts)

    def line(self) -> bytes:
        """A line on the control stream that is no good hello."""
        hello = {"type": "hello", "version": 1, "token": "hp_x", "run": "r", "client": "c", "agent": "a"}
        hello[self.dice.choice(list(hello))] = self.dice.choice(
            (None, -1, 1 << 70, "x" * 5000, [], {}, "\0", "hp_" + "y" * 43, {"a": [[[[]]]]})
        )
        text = json.dumps(hello).encode() + b"\n"
        if self.dice.random() < 0.3:
            text = self.dice.randbytes(200) + b"\n"
        if self.dice.random() < 0.1:
            text = b"[" * 60_000 + b"\n"
        if self.dice.random() < 0.1:
            text = b"x" * (protocol.MAX_LINE + 10)
        return OPEN + b"\0\0\0\0\0\0\0\1" + len(text).to_bytes(4, "big") + text

    def request(self) -> bytes:
        """A head that is nearly right."""
        head = bytearray(HEAD * self.dice.randrange(1, 3))
        for _ in range(self.dice.randrange(1, 4)):
            head[self.dice.randrange(len(head))] = self.dice.randrange(256)
        return bytes(head)

    # The attack

    async def all(self, slow_peers: int, inputs: int, *, rest: bool) -> dict[str, Any]:
        await self._inputs(min(inputs, 200))  # what is loaded and allocated once
        await asyncio.sleep(0.5)
        before, files = memory(self.edge.pid), descriptors(self.edge.pid).total()
        watcher = asyncio.create_task(self._watch(before))
        begun = time.monotonic()
        try:
            slowest = await self._connect_slowly(slow_peers)
            fuzzed = await self._inputs(inputs)
        finally:
            watcher.cancel()
            result = await asyncio.gather(watcher, return_exceptions=True)
        assert isinstance(result[0], asyncio.CancelledError), result[0]
        await until(
            lambda: descriptors(self.edge.pid).total() <= files + FILES_SPARE,
            60,
            lambda: (descriptors(self.edge.pid).total(), files),
        )
        most = GROWTH_MOST + 4 * slow_peers * SLOW_MOST
        assert self.most < most, f"the edge grew by {self.most} bytes, more than {most}"
        took = time.monotonic() - begun
        await until(self._forgotten, 60, lambda: "links of hostile peers are still there")
        if rest:
            await asyncio.sleep(GIVE_BACK_S + 3)
        left = memory(self.edge.pid) - before
        if rest:
            assert left < LEFT_MOST, f"{left} bytes were not given back"
        return {
            "slow_connections": 4 * slow_peers,
            "shown_out_after_max_s": round(slowest, 2),
            "socket_inputs": sum(fuzzed.values()),
            "socket_inputs_by_door": fuzzed,
            "good_visits_meanwhile": self.served,
            "good_visit_max_ms": round(self.slowest * 1000, 1),
            "edge_growth_max_mb": round(self.most / 1e6, 1),
            "edge_growth_left_mb": round(left / 1e6, 1),
            "seconds": round(took, 1),
        }

    async def _forgotten(self) -> bool:
        return (await self.edge.census())["objects"]["Link"] <= LINKS_SPARE

    async def _watch(self, before: int) -> None:
        """A good visitor comes all the time."""
        while True:
            self.most = max(self.most, memory(self.edge.pid) - before)
            begun = time.monotonic()
            visitor = await visit(self.edge, self.edge.first, self.served)
            try:
                async with asyncio.timeout(30):  # Python 3.11's wait_for may lose a cancellation
                    await visitor.exchange(100)
            finally:
                visitor.close()
            self.slowest = max(self.slowest, time.monotonic() - begun)
            self.served += 1
            await asyncio.sleep(0.1)

    async def _connect_slowly(self, count: int) -> float:
        """Byte by byte, or not at all; the longest that one was suffered."""
        ways: list[tuple[Callable[[], Awaitable[Way]], bytes]] = [
            (self.plain, HEAD),
            (self.raw_tls, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32)),
            (self.upgraded, OPEN + b"\0\0\0\0\0\0\0\1\0\0\0\x40{"),
            (self.tls, OPEN + b"\0\0\0\0\0\0\0\1\0\0\0\x40{"),
        ]
        work = [self._slowly(connect, data) for connect, data in ways for _ in range(count)]
        return max(await asyncio.gather(*work))

    async def _slowly(self, connect: Callable[[], Awaitable[Way]], data: bytes) -> float:
        await asyncio.sleep(self.dice.random())
        reader, writer = await connect()
        begun = time.monotonic()
        ended = asyncio.create_task(_to_end(reader))
        for byte in data:
            if ended.done():
                break
            with contextlib.suppress(OSError):
                writer.write(bytes((byte,)))
            await asyncio.sleep(0.4)
        await asyncio.wait_for(ended, self.shown_out)
        took = time.monotonic() - begun
        writer.close()
        assert took < self.shown_out, f"a slow peer was suffered for {took:.1f} s"
        return took

    async def _inputs(self, count: int) -> dict[str, int]:
        kinds: dict[str, tuple[Callable[[], Awaitable[Way]], Callable[[], bytes]]] = {
            "plain, nonsense": (self.plain, self.nonsense),
            "plain, heads": (self.plain, self.request),
            "upgraded, nonsense": (self.upgraded, self.nonsense),
            "upgraded, frames": (self.upgraded, self.frames),
            "upgraded, lines": (self.upgraded, self.line),
            "TLS listener, nonsense": (self.raw_tls, self.nonsense),
            "TLS, frames": (self.tls, self.frames),
            "TLS, lines": (self.tls, self.line),
        }
        done = dict.fromkeys(kinds, 0)
        names = iter(list(kinds) * (count // len(kinds) + 1))

        async def work() -> None:
            for name in names:
                if sum(done.values()) >= count:
                    return
                connect, make = kinds[name]
                await self._throw(connect, make())
                done[name] += 1

        await asyncio.gather(*(work() for _ in range(AT_A_TIME)))
        return done

    async def _throw(self, connect: Callable[[], Awaitable[Way]], data: bytes) -> None:
        """Send it, say no more, and be shown out."""
        reader, writer = await connect()
        ended = asyncio.create_task(_to_end(reader))
        with contextlib.suppress(OSError):
            writer.write(data)
            if writer.can_write_eof():
                writer.write_eof()
        await asyncio.wait_for(ended, self.shown_out)
        writer.close()
        with contextlib.suppress(OSError, ssl.SSLError):
            await writer.wait_closed()


async def _to_end(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(OSError, ssl.SSLError):
        while await reader.read(65536):
            pass
