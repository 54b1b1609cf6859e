"""Many tunnels and many idle visitors on one edge: what each costs, and that it comes back when they go."""

from __future__ import annotations

import asyncio
import resource
import statistics
import time
from pathlib import Path
from typing import Any, Final

from homeportd.tunnels.protocol import MAX_TUNNELS

from .processes import SPAN, Edge, descriptors, edge, memory, peer, raise_limit, until
from .visitors import Visitor, reaches, visit

SPARE: Final = 1_000  # descriptors of a process beside visitors' and tunnels'
AT_A_TIME: Final = 200  # visitors that connect side by side
VISITOR_MOST: Final = 16 * 1024  # bytes that an idle visitor may cost the edge, or the client
TUNNEL_MOST: Final = 48 * 1024  # bytes that a tunnel may cost either


async def idle_load(folder: Path, tunnels: int, visitors: int) -> dict[str, Any]:
    """Figures of one edge with so many; fewer visitors where the system gives too few descriptors."""
    limit = raise_limit()
    visitors = min(visitors, limit - tunnels - SPARE)
    assert 0 < tunnels <= min(MAX_TUNNELS, 2 * SPAN)
    async with edge(folder) as here:
        specs: list[dict[str, Any]] = [
            {"kind": "tcp", "port": here.first + number} for number in range(tunnels // 2)
        ]
        specs += [{"kind": "http", "name": f"idle-{number}"} for number in range(tunnels - len(specs))]
        server = await peer(here, [])  # its echo alone is used
        clients = [await peer(here, specs, name=n, links=4, target=server.echo_port) for n in ("one", "two")]
        try:
            return await _idle_load(here, clients, specs, visitors)
        finally:
            for each in (server, *clients):
                await each.kill()


async def _idle_load(here: Edge, clients: list[Any], specs: list[Any], visitors: int) -> dict[str, Any]:
    client, newer = clients
    pids = {"edge": here.pid, "client": client.process.pid}
    empty = _memory(pids)
    begun = client.go()
    opened = await client.next("live", 120) - begun
    await until(lambda: _links(here), 60)
    idle, files = _memory(pids), descriptors(here.pid).total()
    ports = [spec["port"] for spec in specs if "port" in spec]
    guests: list[Visitor] = []
    room = asyncio.Semaphore(AT_A_TIME)

    async def come(number: int) -> None:
        async with room:
            visitor = await visit(here, ports[number % len(ports)], number)
            guests.append(visitor)
            await asyncio.wait_for(visitor.exchange(1), 60)

    try:
        begun = time.monotonic()
        await asyncio.gather(*(come(number) for number in range(visitors)))
        came = time.monotonic() - begun
        await asyncio.sleep(1)
        full = _memory(pids)
        shown = await here.api("GET", "/api/tunnels")
        assert sum(item["connections"] for item in shown) == visitors
        waits = []
        for number in range(20):
            begun = time.monotonic()
            late = await visit(here, ports[number % len(ports)], number)
            await late.exchange(1)
            waits.append(time.monotonic() - begun)
            late.close()
        for guest in guests[:: max(1, visitors // 50)]:  # they are idle, not dead
            await asyncio.wait_for(guest.exchange(1000), 60)
        # All names at once pass to a newer client; everyone's stream ends.
        begun = newer.go()
        taken = await newer.next("live", 120) - begun
        shown = await here.api("GET", "/api/tunnels")
        assert {item["client"] for item in shown} == {newer.name}
    finally:
        for guest in guests:
            guest.close()
    await until(
        lambda: descriptors(here.pid).total() <= files + 8, 60, lambda: (descriptors(here.pid).total(), files)
    )
    await until(lambda: _without_carriers(here), 60)
    left = memory(here.pid)
    figures = {
        "tunnels": len(specs),
        "visitors": visitors,
        "edge_rss_mb": round(full["edge"] / 1e6, 1),
        "client_rss_mb": round(full["client"] / 1e6, 1),
        "edge_rss_after_mb": round(left / 1e6, 1),
        **{f"{who}_bytes_per_tunnel": (idle[who] - empty[who]) // len(specs) for who in pids},
        **{f"{who}_bytes_per_visitor": (full[who] - idle[who]) // visitors for who in pids},
        "open_all_s": round(opened, 2),
        "take_over_all_s": round(taken, 2),
        "visitors_per_s": round(visitors / came),
        "first_byte_p50_ms": round(statistics.median(waits) * 1000, 2),
    }
    for who in pids:
        assert figures[f"{who}_bytes_per_visitor"] < VISITOR_MOST, figures
        assert figures[f"{who}_bytes_per_tunnel"] < TUNNEL_MOST, figures
    return figures


async def _without_carriers(here: Edge) -> bool:
    return (await here.census())["objects"].get("MeteredBridge", 0) == 0


async def _links(here: Edge) -> bool:
    return (await here.tunnel(here.first))["links"] == 4


def _memory(pids: dict[str, int]) -> dict[str, int]:
    return {who: memory(pid) for who, pid in pids.items()}


async def flood(folder: Path, descriptors_of_edge: int, *, slack: float = 0) -> dict[str, Any]:
    """More visitors than the edge has descriptors: clients and the owner get in all the same, and it recovers.

    `slack`: seconds by which a machine with other work may be late.
    """

    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors_of_edge, descriptors_of_edge))

    async with edge(folder, preexec=few) as here:
        spec: list[dict[str, Any]] = [{"kind": "tcp", "port": here.first}]
        clients = [await peer(here, spec, name=name) for name in ("one", "two")]
        guests: list[Visitor] = []
        try:
            clients[0].go()
            await clients[0].next("live")
            turned_away = 0
            for number in range(descriptors_of_edge + 100):
                try:
                    guest = await visit(here, here.first, number)
                    guests.append(guest)
                    await asyncio.wait_for(guest.exchange(1), 30)
                except OSError:
                    turned_away += 1
            assert turned_away >= 100
            begun = clients[1].go()
            taken = await clients[1].next("live", 5 + slack) - begun
            assert (await here.tunnel(here.first))["refused"] >= turned_away
        finally:
            for guest in guests:
                guest.close()
        try:
            begun = time.monotonic()
            served = await reaches(here, here.first, 1, None, 5 + slack) - begun
        finally:
            for each in clients:
                await each.kill()
    assert taken < 1 + slack
    assert served < 1 + slack
    return {"descriptors": descriptors_of_edge, "turned_away": turned_away, "take_over_s": round(taken, 3)}
