"""What an agent costs that nobody uses: memory and processor, against a bare FastAPI application.

    python bench/idle.py

Run it with a Python that has homeportd installed. The last line is one JSON object: agent_rss_mb (aim: 60 at
most), ratio_to_fastapi (of that memory to the peer's), idle_cpu_percent over half a minute (aim: 0.5 at most).
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WATCHED_S = 30
START_S = 20
PEER = """
import sys, uvicorn
from fastapi import FastAPI
app = FastAPI()
@app.get("/")
async def hello() -> dict[str, str]:
    return {"hello": "world"}
uvicorn.run(app, uds=sys.argv[1], log_level="warning")
"""


def rss_mb(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu_s(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def answering(process: subprocess.Popen[bytes], path: Path) -> None:
    """Wait until a process listens on its socket."""
    end = time.monotonic() + START_S
    while True:
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) == 0:
                return
        if process.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"error: {process.args!r} does not answer\nfix: run it by hand")
        time.sleep(0.05)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="hp") as name:
        folder = Path(name)
        settings = folder / "agent.toml"
        settings.write_text(
            'origin = "http://{port}.localhost:8080"\nport_ranges = ["3000-9999"]\n'
            f'repo_root = "{name}/repos"\ndata_dir = "{name}/data"\nsocket_dir = "{name}"\n'
        )
        serve = [sys.executable, "-m", "homeportd", "serve", "--config", str(settings)]
        serve += ["--allow-root"] * (os.getuid() == 0)
        environment = {**os.environ, "MALLOC_ARENA_MAX": "1"}  # as the unit has it
        agent = subprocess.Popen(serve, env=environment, stderr=subprocess.DEVNULL)
        peer = subprocess.Popen([sys.executable, "-c", PEER, f"{name}/peer.sock"], env=environment)
        try:
            answering(agent, folder / "cli.sock")
            answering(peer, folder / "peer.sock")
            time.sleep(3)
            before = cpu_s(agent.pid)
            time.sleep(WATCHED_S)
            spent = cpu_s(agent.pid) - before
            ours, theirs = rss_mb(agent.pid), rss_mb(peer.pid)
        finally:
            for process in (agent, peer):
                process.terminate()
                process.wait()
    figures = {
        "agent_rss_mb": round(ours, 1),
        "ratio_to_fastapi": round(ours / theirs, 2),
        "idle_cpu_percent": round(100 * spent / WATCHED_S, 2),
        "fastapi_rss_mb": round(theirs, 1),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
