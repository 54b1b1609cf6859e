"""How long one steady-state scan takes, with LISTENERS sockets held by as many processes.

Against `ss -ltnp` and psutil, which answer the same question (which sockets listen, and whose are they), in
turns within one run. Run it with the interpreter that has homeportd installed; it works on Linux and needs
`ss`. The last line is one JSON object: median_ms, ratio_to_ss, ratio_to_psutil (below 1: faster than they
are), and what they are made of.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection

from homeportd.ports.netlink import Netlink
from homeportd.ports.owners import Owners

LISTENERS = 300
ROUNDS = 30
SCANS = 10  # of ours in each round: it is that much quicker


def hold(ready: Connection, listener: socket.socket) -> None:
    """A process that holds one listener until its parent closes the pipe."""
    # Only what a process of its own would have: 300 forks that hold each other's pipes would slow the others
    # down.
    kept = sorted({ready.fileno(), listener.fileno()})
    for low, high in zip([2, *kept], [*kept, 65536], strict=True):
        os.closerange(low + 1, high)
    ready.send(listener.getsockname()[1])
    with suppress(EOFError):
        ready.recv()


def start(count: int, stack: ExitStack) -> set[int]:
    """Processes with a listener each, ended with the stack; their port numbers."""
    fork = multiprocessing.get_context("fork")
    ports = set()
    for _ in range(count):
        ours, theirs = fork.Pipe()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            process = fork.Process(target=hold, args=(theirs, listener), daemon=True)
            process.start()
        theirs.close()
        stack.callback(process.join)
        stack.callback(process.terminate)
        stack.callback(ours.close)
        ports.add(ours.recv())
    return ports


def milliseconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return (time.perf_counter() - start) * 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listeners", type=int, default=LISTENERS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    ss = shutil.which("ss")
    if ss is None:
        sys.exit("error: ss is not here\nfix: install iproute2")
    # By name, so that type checking does not depend on whether stubs of psutil are installed.
    psutil = importlib.import_module("psutil")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8 * options.listeners)), hard))

    with ExitStack() as stack:
        ports = start(options.listeners, stack)
        netlink, owners = Netlink(), Owners()
        stack.callback(netlink.close)
        stack.callback(owners.close)

        def scan() -> int:
            listeners = netlink.listeners()
            if due := owners.due(listeners, time.monotonic()):
                owners.learn(owners.look_up(due), time.monotonic())
            return sum(one.port in ports and owners.owner(one) is not None for one in listeners)

        def steady() -> None:
            # What the agent does in a second without change. It reads known holders anew every half minute,
            # in a thread; that is `verify_ms`, and stays out of the median as it would with any clock.
            owners.due(netlink.listeners(), 0.0)

        def by_ss() -> int:
            lines = subprocess.run([ss, "-ltnpH"], capture_output=True, check=True, text=True).stdout
            return lines.count("pid=")

        def by_psutil() -> int:
            return sum(
                one.status == psutil.CONN_LISTEN and one.pid is not None and one.laddr.port in ports
                for one in psutil.net_connections(kind="tcp")
            )

        first = milliseconds(scan)
        for count in (scan(), by_ss(), by_psutil()):
            if count < options.listeners:
                sys.exit(f"error: only {count} of {options.listeners} listeners were seen with their owners")

        mine, ss_times, psutil_times = [], [], []
        for _ in range(options.rounds):
            mine += [milliseconds(steady) for _ in range(SCANS)]
            ss_times.append(milliseconds(by_ss))
            psutil_times.append(milliseconds(by_psutil))
        verify = milliseconds(
            lambda: owners.look_up(owners.due(netlink.listeners(), time.monotonic() + 3600))
        )

        median = statistics.median(mine)
        ss_median, psutil_median = statistics.median(ss_times), statistics.median(psutil_times)
        print(f"{options.listeners} listeners in as many processes, {options.rounds} rounds")
        print(f"  homeport   {median:8.3f} ms   (the first look, with all owners: {first:.1f} ms)")
        print(f"  ss -ltnp   {ss_median:8.3f} ms")
        print(f"  psutil     {psutil_median:8.3f} ms")
        result = {
            "median_ms": round(median, 3),
            "ratio_to_ss": round(median / ss_median, 4),
            "ratio_to_psutil": round(median / psutil_median, 4),
            "ss_ms": round(ss_median, 2),
            "psutil_ms": round(psutil_median, 2),
            "first_ms": round(first, 1),
            "verify_ms": round(verify, 1),
            "listeners": options.listeners,
        }
        print(json.dumps(result))


if __name__ == "__main__":
    main()
