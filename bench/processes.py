"""What keeping a server's output costs the server: its speed against the same with output to a file, and memory.

    python bench/processes.py

Run it with a Python that has homeportd installed. A server does a little work for each line that it prints, about a
million lines a minute; it runs with its output in a file, below a runner through pipes, and below one with a terminal,
at the same time, so that other work on the machine slows all alike, while one reader follows. The last line is one
JSON object: pipes_ratio and terminal_ratio (of the server's speed to that with a file, aim: 0.95 at least),
lines_per_minute, runner_growth_mb and agent_growth_mb (aim: flat).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from homeportd.processes.launcher import DirectLauncher
from homeportd.processes.model import ProcessSpec
from homeportd.processes.service import Processes

LINES = 60_000
WORK = 60_000  # bytes that are hashed for a line
ROUNDS = 4
# The server itself says how long it took, for starting a runner is no part of its speed.
SERVER = f"""
import hashlib, os, sys, time
begun = time.monotonic()
for number in range({LINES}):
    digest = hashlib.sha256(b"x" * {WORK}).hexdigest()
    os.write(1, b"127.0.0.1 GET /assets/%s.js 200 %d\\n" % (digest[:16].encode(), number))
open(sys.argv[1], "w").write(str(time.monotonic() - begun))
"""


def rss_mb(pid: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def with_runner(processes: Processes, folder: Path, *, terminal: bool) -> tuple[float, float]:
    """Seconds that the server took, and how many MB its runner grew from its first output to the end of it."""
    id = "terminal" if terminal else "pipes"
    result = folder / id
    command = [sys.executable, "-I", "-S", "-c", SERVER, str(result)]
    process = await processes.start(ProcessSpec(id, command, folder, terminal=terminal))
    assert process.runner is not None
    first, last, size = 0.0, 0.0, 0
    async for chunk in processes.output(id, process.output_from):
        size += len(chunk.data)
        if processes.running(id):
            with contextlib.suppress(OSError, IndexError):  # it has just ended
                last = rss_mb(process.runner.pid) or last
                first = first or last
    assert size > LINES * 40, "output was lost"
    return float(result.read_text()), last - first


def with_file(folder: Path) -> float:
    """Seconds that the server took with its output in a file."""
    result = folder / "file"
    with (folder / "log").open("wb") as log:
        subprocess.run([sys.executable, "-I", "-S", "-c", SERVER, str(result)], stdout=log, check=True)
    return float(result.read_text())


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="hp") as name:
        folder = Path(name)
        processes = Processes(folder / "processes", DirectLauncher())
        await processes.open()
        ratios: dict[str, list[float]] = {"pipes": [], "terminal": []}
        lines, growth, agent = 0.0, 0.0, []
        for number in range(ROUNDS):
            file, *others = await asyncio.gather(
                asyncio.to_thread(with_file, folder),
                with_runner(processes, folder, terminal=False),
                with_runner(processes, folder, terminal=True),
            )
            for rows, (seconds, grown) in zip(ratios.values(), others, strict=True):
                rows.append(file / seconds)
                growth = max(growth, grown)
                lines = max(lines, LINES / seconds * 60)
            agent.append(rss_mb(os.getpid()))
            print(
                f"round {number + 1}: file {file:.2f} s, pipes {others[0][0]:.2f} s, terminal {others[1][0]:.2f} s"
            )
        await processes.close()
    print(
        json.dumps(
            {
                "pipes_ratio": round(median(ratios["pipes"]), 3),
                "terminal_ratio": round(median(ratios["terminal"]), 3),
                "lines_per_minute": round(lines),
                "runner_growth_mb": round(growth, 2),
                "agent_growth_mb": round(agent[-1] - agent[0], 2),
                "measured_at": time.strftime("%Y-%m-%d"),
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(main())
