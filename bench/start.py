"""How long a dev server takes from "start" to its first answer: by Homeport, and by the same command in a terminal.

The folder is a project with its dependencies installed, such as one that `npm create vite` made. Both in turns within
one run, with output on a terminal. Run it with the interpreter that has homeportd installed. The last line is
one JSON object: terminal_ms, homeport_ms (medians), ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import pty
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import httpx

from homeportd.app import agent
from homeportd.servers.catalog import read_scripts
from homeportd.servers.environment import environment
from homeportd.servers.port_flags import with_port
from homeportd.servers.service import is_free
from homeportd.settings import Settings

ROUNDS = 5
POLL_S = 0.01
ANSWER_S = 120


async def answers(client: httpx.AsyncClient, port: int) -> None:
    """Wait until something answers HTTP on a port of this machine."""
    async with asyncio.timeout(ANSWER_S):
        while True:
            try:
                await client.get(f"http://localhost:{port}/")
            except httpx.TransportError:
                await asyncio.sleep(POLL_S)
            else:
                return


async def by_terminal(client: httpx.AsyncClient, folder: Path, command: str, port: int) -> float:
    """Seconds from the start of a command to its first answer."""
    ours, theirs = pty.openpty()
    begun = time.monotonic()
    process = subprocess.Popen(  # noqa: ASYNC220 - a moment
        ["/bin/sh", "-c", command],
        cwd=folder,
        env={**os.environ, **environment(port)},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    await answers(client, port)
    took = time.monotonic() - begun
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    os.close(ours)
    while not is_free(port):  # noqa: ASYNC110 - what it started ends a moment later
        await asyncio.sleep(POLL_S)
    return took


async def by_homeport(client: httpx.AsyncClient, owner: httpx.AsyncClient, port: int) -> float:
    """Seconds from the request to start a server to its first answer."""
    begun = time.monotonic()
    (await owner.post("/api/repos/project/start", json={"port": port})).raise_for_status()
    await answers(client, port)
    took = time.monotonic() - begun
    (await owner.post("/api/repos/project/stop", json={})).raise_for_status()
    return took


async def measure(project: Path, port: int) -> dict[str, float]:
    """The figures of a project."""
    with tempfile.TemporaryDirectory(prefix="hp") as name:
        folder = Path(name)
        repo = folder / "repos/project"
        shutil.copytree(project, repo, symlinks=True)
        subprocess.run(["git", "init", "-q", str(repo)], check=True)  # noqa: ASYNC221
        settings = Settings(
            origin="http://{port}.localhost:8080",
            port_ranges=("3000-9999",),
            own_ports=frozenset(),
            repo_root=folder / "repos",
            data_dir=folder / "data",
            socket_dir=folder,
        )
        transport = httpx.AsyncHTTPTransport(uds=str(folder / "cli.sock"))
        async with (
            agent(settings),
            httpx.AsyncClient(trust_env=False, timeout=ANSWER_S) as client,
            httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=ANSWER_S) as owner,
        ):
            while "project" not in [each["id"] for each in (await owner.get("/api/repos")).json()]:  # noqa: ASYNC110
                await asyncio.sleep(POLL_S)
            (server, *_) = (await owner.get("/api/repos/project/servers")).json()["servers"]
            command = with_port(server["command"], read_scripts(repo, server["directory"]), port)
            print(f"{command}: {ROUNDS} rounds", flush=True)
            await by_terminal(client, repo, command, port)  # what it caches
            terminal, homeport = [], []
            for _ in range(ROUNDS):
                terminal.append(await by_terminal(client, repo, command, port))
                homeport.append(await by_homeport(client, owner, port))
    one, other = statistics.median(terminal), statistics.median(homeport)
    return {
        "terminal_ms": round(one * 1000),
        "homeport_ms": round(other * 1000),
        "ratio": round(other / one, 2),
    }


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("project", type=Path, help="folder of a project, with its dependencies")
    parser.add_argument("--port", type=int, default=4173, help="a free port (default: %(default)s)")
    arguments = parser.parse_args()
    print(json.dumps(asyncio.run(measure(arguments.project, arguments.port))))


if __name__ == "__main__":
    main()
