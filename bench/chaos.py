"""Reliability figures of tunnels: idle load, crashes, cut networks, hostile peers, millions of mutated inputs.

    python bench/chaos.py [--only NAME …] [--rounds 200] [--tunnels 1000] [--visitors 10000] [--fuzz 1000000]

Run it as root (it makes network namespaces) with a Python that has homeportd and the test's tools installed, such as
.venv-test/bin/python; about twelve minutes. It stops at the first promise that is broken. The last line is one JSON
object: takeover_p50_s and takeover_max_s (aim: below 1, where no packet is lost), names_lost, streams_corrupt,
leaked_descriptors and leaked_tasks (aim: 0 each), edge_bytes_per_tunnel, edge_bytes_per_visitor, edge_rss_mb,
noticed_by_edge_cut_s (aim: 10), and the rest of each scenario's figures under its name.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.chaos import (  # noqa: E402
    backpressure,
    crashes,
    hostile,
    idle_load,
    net,
    parsers,
    reverse_proxy,
    silent_failures,
    takeovers,
)


def fuzz_yamux(count: int) -> dict[str, Any]:
    """The state machine, with its own test's generator."""
    path = ROOT / "homeportd/tests/yamux/test_fuzz.py"
    spec = importlib.util.spec_from_file_location("yamux_fuzz", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.fuzz(max(1, count // 10), 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reasons = module.fuzz(count, 2)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 8 * 1024, f"the process grew by {grown} KiB"
    return {"inputs": count, "ways_to_fail": len(reasons), "growth_kib": grown}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", metavar="NAME")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--tunnels", type=int, default=1000)
    parser.add_argument("--visitors", type=int, default=10_000)
    parser.add_argument("--fuzz", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3)))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    scenarios: dict[str, Callable[[Path], Any]] = {
        "idle_load": lambda folder: idle_load.idle_load(folder, options.tunnels, options.visitors),
        "flood": lambda folder: idle_load.flood(folder, 2000),
        "reverse_proxy": lambda folder: reverse_proxy.reverse_proxy(folder, 2000, 30),
        "backpressure": lambda folder: backpressure.backpressure(folder, 1 << 30),
        "crashes": lambda folder: crashes.crashes(folder, 20),
        "silent_failures": silent_failures.silent_failures,
        "takeovers": lambda folder: takeovers.takeovers(folder, options.rounds, options.seed),
        "hostile": lambda folder: hostile.hostile(folder, 200, options.fuzz // 50, options.seed, rest=True),
    }
    fuzzers: dict[str, Callable[[], Any]] = {
        "fuzz_yamux": lambda: fuzz_yamux(options.fuzz),
        "fuzz_messages": lambda: parsers.fuzz(options.fuzz, options.seed),
    }
    unknown = set(options.only or ()) - scenarios.keys() - fuzzers.keys()
    if unknown:
        parser.error(f"no scenario {unknown.pop()}; there are {', '.join([*scenarios, *fuzzers])}")
    figures: dict[str, Any] = {}
    for name in options.only or [*scenarios, *fuzzers]:
        begun = time.monotonic()
        if name in ("silent_failures", "takeovers") and (why := net.missing()):
            print(f"left out: {name} ({why})")
            figures[name] = None
            continue
        if name in fuzzers:
            figures[name] = fuzzers[name]()
        else:
            with tempfile.TemporaryDirectory(prefix="hp") as folder:
                figures[name] = uvloop.run(scenarios[name](Path(folder) / name))
        print(f"{name}, {time.monotonic() - begun:.0f} s: {json.dumps(figures[name])}", flush=True)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
