"""The edge is killed and starts again: what was reserved is there, clients and the daemon come back by themselves."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from .processes import Edge, descriptors, edge, peer, until
from .visitors import reaches

BACK_S: Final = 8.0  # after the edge answers again: no client waits for much longer than it was away
KEPT: Final = ("id", "kind", "name", "port", "token", "allow", "limits", "passcode", "created_at")


async def crashes(folder: Path, times: int, *, slack: float = 0) -> dict[str, Any]:
    """Figures of so many crashes; `slack`: seconds by which a machine with other work may be late."""
    # The path of a daemon's socket has 103 bytes at most.
    with tempfile.TemporaryDirectory(prefix="hp") as home:
        return await _with_clients(folder, Path(home), times, BACK_S + slack)


async def _with_clients(folder: Path, home: Path, times: int, most: float) -> dict[str, Any]:
    async with edge(folder / "edge") as here:
        clients = [
            await peer(here, [{"kind": "tcp", "port": here.first}, {"kind": "http", "name": "one"}], links=2),
            await peer(here, [{"kind": "tcp"}, {"kind": "http"}], name="other"),
        ]
        daemon = await _daemon(here, home, clients[0].echo_port)
        try:
            return await _crashes(here, times, clients, most)
        finally:
            for each in clients:
                await each.kill()
            daemon.terminate()
            await daemon.wait()


async def _crashes(here: Edge, times: int, clients: list[Any], most: float) -> dict[str, Any]:
    for each in clients:
        each.go()
        await each.next("live")
    rules = {"kind": "tcp", "port": here.first + 2, "allow": ["127.0.0.2/32", "2001:db8::/48"]}
    await here.api("POST", "/api/reservations", json={**rules, "limits": {"connections": 7}})
    web = {"kind": "http", "name": "guarded", "passcode": "open sesame"}
    await here.api("POST", "/api/reservations", json=web)
    given = await clients[1].view()
    before, ports = await _kept(here), [here.first, here.first + 1]
    ports += [tunnel["port"] for tunnel in given["tunnels"] if tunnel["port"]]
    back: list[float] = []
    starts: list[float] = []
    for number in range(times):
        for port in ports:
            await reaches(here, port, number, None, most)
        await here.kill()
        starts.append(await here.start())
        up = time.monotonic()
        for port in ports:
            try:
                back.append(await reaches(here, port, number, None, most) - up)
            except TimeoutError:
                raise AssertionError(
                    (await here.tunnel(port), [await each.view() for each in clients])
                ) from None
        assert await _kept(here) == before

    async def again() -> list[dict[str, Any]]:
        seen = (await clients[1].view())["tunnels"]
        return seen if {tunnel["state"] for tunnel in seen} == {"live"} else []

    after = await until(again, most)
    assert [t["address"] for t in after] == [t["address"] for t in given["tunnels"]]
    return {
        "edge_crashes": times,
        "reservations_lost": 0,
        "edge_start_s": round(max(starts), 2),
        "clients_back_max_s": round(max(back), 2),
        "client_descriptors": descriptors(clients[0].process.pid).total(),
    }


async def _kept(here: Edge) -> list[dict[str, Any]]:
    found = await here.api("GET", "/api/reservations")
    return sorted(({key: item[key] for key in KEPT} for item in found), key=lambda item: item["id"])


async def _daemon(here: Edge, home: Path, target: int) -> asyncio.subprocess.Process:
    """The real daemon of a user, with a tunnel from the second port of the edge."""
    env = {**os.environ, "HOME": str(home), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "homeportd.cli"]

    async def run(*arguments: str, said: str = "") -> None:
        process = await asyncio.create_subprocess_exec(
            *command, *arguments, env=env, stdin=-1, stdout=-1, stderr=asyncio.subprocess.STDOUT
        )
        answer, _ = await process.communicate(said.encode())
        assert process.returncode == 0, answer.decode()

    await run("init", "--edge", here.url, "--token-stdin", said=here.token + "\n")
    with (here.folder / "daemon.log").open("ab") as log:
        daemon = await asyncio.create_subprocess_exec(
            *command, "daemon", "run", env=env, stdout=log, stderr=log
        )
    here.clients.append(daemon)
    socket = home / ".local/state/homeport/daemon.sock"
    while not socket.exists():
        assert daemon.returncode is None, (here.folder / "daemon.log").read_text()
        await asyncio.sleep(0.02)
    await run("tunnels", "add", "tcp", f"{target}={here.first + 1}")
    return daemon
