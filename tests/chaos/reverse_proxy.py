"""Visitors who lie about their address and visitors who are slow, at the real Traefik with the role's own entry point.

Traefik has no limit for the head of a request alone: `readTimeout` bounds a whole request with its body, an hour in
the role. What is shown here: a slow head costs the edge nothing and holds up nobody, and that limit does end it.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import shutil
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import yaml

from .processes import Edge, descriptors, edge, free_port, memory, peer, raise_limit, until

ROLE: Final = Path(__file__).parents[2] / "roles/traefik/vars/main.yml"
OPEN, LISTED = "open.tunnel.localhost", "listed.tunnel.localhost"
ALLOWED: Final = "203.0.113.7"  # on the list; nobody comes from there
BRIEF_S: Final = 3.0  # in place of the role's hour, on an entry point beside it
PAUSE_S: Final = 0.5  # between two bytes
ANSWER_MOST_S: Final = 2.0  # for a good visitor meanwhile
HEAD_MOST: Final = 64 << 10  # bytes that a slow head may cost Traefik
EDGE_MOST: Final = 8 << 20  # bytes by which the edge may grow with all of them
SPARE: Final = 40  # descriptors that come and go: Traefik keeps idle connections
HUGE: Final = 2 << 20  # bytes of a head that is too long

LIES: Final = (
    f"X-Forwarded-For: {ALLOWED}",
    f"x-forwarded-for: {ALLOWED}",
    f"X-Forwarded-For: {ALLOWED}, 127.0.0.1",
    f"X-Forwarded-For: {ALLOWED}\r\nX-Forwarded-For: {ALLOWED}",
    f"X-Forwarded-For:\t{ALLOWED} ",
    f"X_Forwarded_For: {ALLOWED}",
    f"X-Real-Ip: {ALLOWED}",
    f"X-Real-IP: {ALLOWED}\r\nX-Forwarded-For: {ALLOWED}",
    f"Forwarded: for={ALLOWED};proto=https",
    f"X-Client-IP: {ALLOWED}",
    f"CF-Connecting-IP: {ALLOWED}",
    f"True-Client-IP: {ALLOWED}",
    f"X-Forwarded-Host: {OPEN}",
    f"X-Forwarded-Server: {OPEN}",
    f"Connection: X-Forwarded-For\r\nX-Forwarded-For: {ALLOWED}",
    f"Connection: X-Real-Ip, X-Forwarded-For\r\nX-Real-Ip: {ALLOWED}",
)
# What a server behind a tunnel believes of these is Traefik's word.
OURS: Final = {"x-forwarded-for": "127.0.0.1", "x-real-ip": "127.0.0.1"}


def _request(host: str, *lines: str, target: str = "/") -> bytes:
    return "\r\n".join((f"GET {target} HTTP/1.1", f"Host: {host}", *lines, "", "")).encode()


# Other spellings of the listed host, and other ways to name it.
DETOURS: Final = (
    _request(LISTED.upper()),
    _request(LISTED + "."),
    _request(LISTED + ":1"),
    _request(OPEN, target=f"http://{LISTED}/"),
    _request(LISTED, target=f"http://{LISTED}/"),
    _request(f"{OPEN}\r\nHost: {LISTED}"),
    _request(f"{LISTED}\r\nHost: {OPEN}"),
    _request(LISTED).replace(b"HTTP/1.1", b"HTTP/1.0"),
    f"PROXY TCP4 {ALLOWED} 127.0.0.1 1000 80\r\n".encode() + _request(LISTED),
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x07\x7f\0\0\1\x03\xe8\0\x50" + _request(LISTED),
)


class _Site:
    """A server behind a tunnel, which keeps the heads that it gets."""

    def __init__(self) -> None:
        self.heads: list[dict[str, str]] = []
        self.port = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[_Site]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=4096)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[1:-2]
            fields: dict[str, str] = {}
            for name, _, value in (line.partition(":") for line in head):
                key = name.strip().lower()
                fields[key] = ", ".join(filter(None, (fields.get(key), value.strip())))
            self.heads.append(fields)
            await reader.readexactly(int(fields.get("content-length", 0)))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            await writer.drain()
        writer.close()


class _Traefik:
    """The real one; `port` has the role's entry point, `brief` the same with a short `readTimeout`."""

    def __init__(self, here: Edge) -> None:
        self.edge = here
        self.port, self.brief = free_port(), free_port()
        self.pid = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[_Traefik]:
        folder = self.edge.folder
        entry = yaml.safe_load(ROLE.read_text())["traefik_entry"]
        brief = copy.deepcopy(entry)
        brief["transport"]["respondingTimeouts"] |= {
            "readTimeout": f"{BRIEF_S}s",
            "idleTimeout": f"{BRIEF_S}s",
        }
        entry_points = {
            "web": {**entry, "address": f"127.0.0.1:{self.port}"},
            "brief": {**brief, "address": f"127.0.0.1:{self.brief}"},
        }
        fallback = {
            "rule": "PathPrefix(`/`)",
            "priority": 1,
            "service": "edge",
            "entryPoints": ["web", "brief"],
        }
        service = {"loadBalancer": {"servers": [{"url": self.edge.url}]}}
        (folder / "routes/edge.yml").write_text(
            json.dumps({"http": {"routers": {"names": fallback}, "services": {"edge": service}}})
        )
        settings = {
            "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
            "entryPoints": entry_points,
            "providers": {
                "providersThrottleDuration": "100ms",
                "file": {"directory": str(folder / "routes"), "watch": True},
            },
            "accessLog": {"filePath": str(folder / "access.json"), "format": "json"},
            "log": {"level": "WARN", "filePath": str(folder / "traefik.log")},
        }
        (folder / "traefik.yml").write_text(json.dumps(settings))
        program = shutil.which("traefik", path=str(Path(sys.executable).parent)) or "traefik"
        process = await asyncio.create_subprocess_exec(program, f"--configFile={folder / 'traefik.yml'}")
        self.pid = process.pid
        try:
            await until(self._up, 60, (folder / "traefik.log").read_text)
            yield self
        finally:
            process.terminate()
            await process.wait()

    async def _up(self) -> bool:
        try:
            return (await self.ask(_request(OPEN))).startswith(b"HTTP/1.1 200 ")
        except OSError:
            return False

    async def ask(self, request: bytes, port: int | None = None) -> bytes:
        """What comes back; the connection is closed by either side then."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port or self.port)
        try:
            writer.write(request)
            async with asyncio.timeout(60):  # Python 3.11's wait_for may lose a cancellation
                return await reader.read(65536)
        finally:
            writer.close()


async def reverse_proxy(
    folder: Path, slow_visitors: int, seconds: float, *, slack: float = 0
) -> dict[str, Any]:
    """Figures of all lies, and of so many slow heads and half as many slow bodies, each for so long.

    `slack`: seconds by which a machine with other work may be late.
    """
    raise_limit()
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(_Site().serving())
        listed = await stack.enter_async_context(_Site().serving())
        here = await stack.enter_async_context(edge(folder))
        specs = [
            {"kind": "http", "name": "open", "target": str(site.port)},
            {"kind": "http", "name": "listed", "target": str(listed.port), "allow": [f"{ALLOWED}/32"]},
        ]
        client = await peer(here, specs, links=2)
        stack.push_async_callback(client.kill)
        client.go()
        await client.next("live")
        traefik = await stack.enter_async_context(_Traefik(here).running())
        lies = await _lies(traefik, site)
        detours = [_status(await traefik.ask(request)) for request in DETOURS]
        slow = await _slow(here, traefik, slow_visitors, seconds, ANSWER_MOST_S + slack)
        bounds = await _bounds(traefik, slack)
        assert listed.heads == [], "somebody got past the allowlist"
        rows = [json.loads(line) for line in (folder / "access.json").read_text().splitlines()]
        assert {row["ClientHost"] for row in rows} == {"127.0.0.1"}
    return {"lies_refused": lies, "detours_refused": len(detours), "let_in": 0, **slow, **bounds}


def _status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else 0


async def _lies(traefik: _Traefik, site: _Site) -> int:
    for lie in LIES:
        status = _status(await traefik.ask(_request(LISTED, lie)))
        assert status == 403, (lie, status)
        site.heads.clear()
        assert _status(await traefik.ask(_request(OPEN, lie))) == 200, lie
        (seen,) = site.heads
        assert {name: seen.get(name) for name in OURS} == OURS, (lie, seen)
        assert "x_forwarded_for" not in seen, seen
    return len(LIES)


async def _slow(here: Edge, traefik: _Traefik, count: int, seconds: float, most: float) -> dict[str, Any]:
    """Slow heads, then slow bodies, while a good visitor comes all the time."""
    waits: list[float] = []

    async def good() -> None:
        while True:
            begun = time.monotonic()
            assert _status(await traefik.ask(_request(OPEN))) == 200
            waits.append(time.monotonic() - begun)
            await asyncio.sleep(0.05)

    for _ in range(20):
        await traefik.ask(_request(OPEN))
    pids = {"traefik": traefik.pid, "edge": here.pid}
    before = {who: memory(pid) for who, pid in pids.items()}
    files = {who: descriptors(pid).total() for who, pid in pids.items()}
    visitor = asyncio.create_task(good())
    grown: dict[str, dict[str, int]] = {}
    try:
        body = _request(OPEN, "Content-Length: 100000").replace(b"GET", b"POST")
        for kind, start, many in (("head", _request(OPEN)[:-2], count), ("body", body, count // 2)):
            writers = [await _begin(traefik.port, start) for _ in range(many)]
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                for writer in writers:
                    writer.write(b"x")
                await asyncio.sleep(PAUSE_S)
            ended = sum(writer.transport.is_closing() for writer in writers)
            assert not ended, f"{ended} slow requests ended within {seconds} s, and an hour is allowed"
            grown[kind] = {who: memory(pid) - before[who] for who, pid in pids.items()}
            if kind == "head":  # Traefik waits for the rest; the edge has not heard of them
                assert descriptors(here.pid).total() <= files["edge"] + SPARE
            for writer in writers:
                writer.transport.abort()
            await until(
                lambda: all(descriptors(pid).total() <= files[who] + SPARE for who, pid in pids.items()), 60
            )
    finally:
        visitor.cancel()
        result = await asyncio.gather(visitor, return_exceptions=True)
    assert isinstance(result[0], asyncio.CancelledError), result[0]
    assert max(waits) < most, f"a good visitor waited {max(waits):.2f} s"
    assert grown["head"]["traefik"] < count * HEAD_MOST, grown
    assert max(each["edge"] for each in grown.values()) < EDGE_MOST, grown
    return {
        "slow_heads": count,
        "slow_bodies": count // 2,
        "traefik_bytes_per_slow_head": max(0, grown["head"]["traefik"]) // count,
        "edge_growth_mb": round(max(each["edge"] for each in grown.values()) / 1e6, 1),
        "good_visits_meanwhile": len(waits),
        "good_visit_max_ms": round(max(waits) * 1000, 1),
    }


async def _begin(port: int, start: bytes) -> asyncio.StreamWriter:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(start)
    return writer


async def _bounds(traefik: _Traefik, slack: float) -> dict[str, Any]:
    """When `readTimeout` ends a head that does not, `idleTimeout` a connection at rest; and the longest head."""
    ended = {}
    for name, start in (("head", b"GET / HTTP/1.1\r\nHost: x"), ("idle", _request("none.tunnel.localhost"))):
        begun = time.monotonic()  # before Traefik's: who is held up here sees it end later, never sooner
        reader, writer = await asyncio.open_connection("127.0.0.1", traefik.brief)
        writer.write(start)
        trickle = asyncio.create_task(_trickle(writer)) if name == "head" else None
        async with asyncio.timeout(BRIEF_S + 5 + slack):
            with contextlib.suppress(OSError):
                while await reader.read(65536):
                    pass
        ended[name] = time.monotonic() - begun
        if trickle is not None:
            trickle.cancel()
            await asyncio.gather(trickle, return_exceptions=True)
        writer.close()
        assert -1 < ended[name] - BRIEF_S < 1 + slack, (name, ended)
    huge = await traefik.ask(_request(OPEN, "X-Long: " + "x" * HUGE))
    assert _status(huge) == 431, huge[:100]
    return {
        "read_timeout_s": BRIEF_S,
        "slow_head_ended_after_s": round(ended["head"], 2),
        "head_most": "1 MiB",
    }


async def _trickle(writer: asyncio.StreamWriter) -> None:
    while True:
        with contextlib.suppress(OSError):
            writer.write(b"x")
        await asyncio.sleep(PAUSE_S)
