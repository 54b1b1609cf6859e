"""What the status says when a network is cut without a word, or a client's process hangs: offline, soon, and why."""

from __future__ import annotations

import asyncio
import signal
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from homeportd import clock
from homeportd.tunnels.protocol import HEARTBEAT_S

from . import net
from .processes import Edge, Peer, edge, peer, until
from .visitors import reaches, visit

PORT: Final = 20_200
PLACES: Final = {"cut": 0, "hung": 1, "slept": 2, "newer": 2}
MOMENT_S: Final = 1.0  # beside two missed heartbeats
BACK_S: Final = 15.0  # for a client to come back by itself: a dial that was under way may have to time out


async def silent_failures(
    folder: Path, heartbeat: float = HEARTBEAT_S, *, slack: float = 0
) -> dict[str, Any]:
    """Seconds until both sides knew of a cut, and until the way was whole again.

    `slack`: seconds by which a machine with other work may be late.
    """
    with net.network("edge", "a", "b", "visitor") as wires:
        async with edge(folder, wires["edge"], haste={"heartbeat": heartbeat}) as here:
            where = {"cut": "a", "hung": "b", "slept": "b", "newer": "visitor"}
            peers = {}
            try:
                for name, machine in where.items():
                    tunnels = [{"kind": "tcp", "port": PORT + PLACES[name]}]
                    peers[name] = await peer(
                        here, tunnels, wires[machine], name=name, links=2, heartbeat=heartbeat
                    )
                return await _silent_failures(here, wires, peers, heartbeat, slack)
            finally:
                for each in peers.values():
                    await each.kill()


async def _silent_failures(
    here: Edge, wires: net.Network, peers: dict[str, Peer], heartbeat: float, slack: float
) -> dict[str, Any]:
    cut, hung, slept, newer = peers.values()
    for each in (cut, hung, slept):
        each.go()
        await each.next("live")
    await until(lambda: _whole(here), BACK_S + slack)
    visitor = await visit(here, PORT, 1, wires["visitor"])
    came_at = clock.now()
    await visitor.exchange(1000)
    moved_at = (await here.tunnel(PORT))["last_byte_at"]
    assert came_at - timedelta(seconds=1) <= clock.from_text(moved_at) <= clock.now(), moved_at
    await asyncio.sleep(heartbeat + 1)  # heartbeats go on, and are no bytes of the tunnel
    shown = await here.tunnel(PORT)
    assert (shown["state"], shown["links"], shown["last_byte_at"]) == ("live", 2, moved_at), shown
    assert (await here.tunnel(PORT + 1))["last_byte_at"] is None

    wires["a"].conditions.cut = True
    for each in (hung, slept):
        each.process.send_signal(signal.SIGSTOP)
    begun = time.monotonic()
    noticed: dict[str, float] = {}

    async def all_noticed() -> bool:
        now = time.monotonic() - begun
        for port, name in ((PORT, "cut"), (PORT + 1, "hung")):
            if (await here.tunnel(port))["state"] == "offline":
                noticed.setdefault(name, now)
        view = await cut.view()
        if not view["up"]:
            noticed.setdefault("client", now)
            assert {tunnel["state"] for tunnel in view["tunnels"]} == {"offline"}, view
            assert view["problem"], view
        return len(noticed) == 3

    await until(all_noticed, 30 + slack, lambda: noticed)
    assert max(noticed.values()) < 2 * heartbeat + MOMENT_S + slack, noticed
    # The visitor's stream ended with the client: it is not left hanging.
    try:
        await asyncio.wait_for(visitor.exchange(10), 30)
        raise AssertionError("a visitor's bytes went through a wire that is cut")
    except OSError:
        visitor.close()

    newer.go()
    await newer.next("live")
    wires["a"].conditions.cut = False
    for each in (hung, slept):
        each.process.send_signal(signal.SIGCONT)
    healed = time.monotonic()
    back = {
        name: await reaches(here, port, 2, wires["visitor"], BACK_S + slack) - healed
        for port, name in ((PORT + 1, "hung"), (PORT, "cut"))
    }
    assert {(await here.tunnel(port))["state"] for port in (PORT, PORT + 1)} == {"live"}
    # Who slept while its name was taken over learns that, and leaves it alone.
    await until(lambda: _overcome(slept), BACK_S + slack)
    assert (await here.tunnel(PORT + PLACES["slept"]))["client"] == newer.name
    return {
        **{f"noticed_by_edge_{name}_s": round(noticed[name], 2) for name in ("cut", "hung")},
        "noticed_by_client_s": round(noticed["client"], 2),
        **{f"back_{name}_s": round(seconds, 2) for name, seconds in back.items()},
    }


async def _whole(here: Edge) -> bool:
    return all([(await here.tunnel(PORT + reservation))["links"] == 2 for reservation in range(3)])


async def _overcome(client: Peer) -> bool:
    return {tunnel["state"] for tunnel in (await client.view())["tunnels"]} == {"taken-over"}
