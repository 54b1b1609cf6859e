"""Wall time of `homeport list`, as a person waits for it, with an agent that sees LISTENERS dev servers.

In turns with what it cannot be quicker than (this interpreter, doing nothing) and with what a person would
type without Homeport (`ss -ltnp`). Run it with the interpreter that has homeportd installed. The last line is
one JSON object: median_ms, ratio_to_python (the same interpreter with `-c pass`), ratio_to_ss (null without
`ss`), and the median of `homeport url`, which goes through Typer.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LISTENERS = 20
ROUNDS = 30
START = 20.0  # seconds for the agent to start
BESIDE = Path(sys.executable).parent


def milliseconds(command: tuple[str, ...], environment: dict[str, str]) -> float:
    """How long one command takes from start to end."""
    start = time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - start) * 1000


def measure(folder: Path, rounds: int, listeners: list[int]) -> dict[str, list[float]]:
    """Run every command `rounds` times against an agent that has seen all listeners."""
    (folder / "repos").mkdir()
    config = folder / "agent.toml"
    config.write_text(
        'origin = "http://{port}.localhost:8080"\n'
        f'port_ranges = ["{min(listeners)}-{max(listeners)}"]\n'
        f'repo_root = "{folder}/repos"\n'
        f'data_dir = "{folder}/data"\n'
        f'socket_dir = "{folder}"\n'
    )
    # As installed: with bytecode, and without what a developer may have set.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    environment["HOMEPORT_CONFIG"] = str(config)
    homeport = str(BESIDE / "homeport")
    as_root = ("--allow-root",) if os.getuid() == 0 else ()
    agent = subprocess.Popen(
        (str(BESIDE / "homeportd"), "serve", "--config", str(config), *as_root),
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + START
        while True:
            seen = subprocess.run(
                (homeport, "ports", "--json"), env=environment, capture_output=True, text=True, check=False
            )
            if seen.returncode == 0 and len(json.loads(seen.stdout)) >= len(listeners):
                break
            if time.monotonic() > end or agent.poll() is not None:
                raise SystemExit(f"the agent does not answer: {seen.stderr}")
            time.sleep(0.1)
        commands = {
            "list": (homeport, "list"),
            "python": (sys.executable, "-c", "pass"),
            "url": (homeport, "url", str(listeners[0])),
        }
        if shutil.which("ss"):
            commands["ss"] = ("ss", "-ltnp")
        taken: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(rounds):
            for name, command in commands.items():
                taken[name].append(milliseconds(command, environment))
        return taken
    finally:
        agent.terminate()
        agent.wait()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--listeners", type=int, default=LISTENERS)
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(arguments.listeners)
        ]
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hp")))
        taken = measure(folder, arguments.rounds, sorted(found.getsockname()[1] for found in sockets))
    medians = {name: statistics.median(times) for name, times in taken.items()}
    for name, median in medians.items():
        print(f"{name:<8} {median:7.1f} ms (best {min(taken[name]):.1f}, worst {max(taken[name]):.1f})")
    result = {
        "median_ms": round(medians["list"], 1),
        "ratio_to_python": round(medians["list"] / medians["python"], 2),
        "ratio_to_ss": round(medians["list"] / medians["ss"], 2) if "ss" in medians else None,
        "python_ms": round(medians["python"], 1),
        "url_ms": round(medians["url"], 1),
        "listeners": arguments.listeners,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
