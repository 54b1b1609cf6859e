"""What a run of bin/site costs that has nothing to do, on a machine that it has set up.

    python bench/site.py [bin/site arguments]

The last line is one JSON object: median_s of three runs (aim: 15 at most) and ratio_to_ansible, to starting
Ansible for one task that does nothing.
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNS = 3


def seconds(command: list[str]) -> tuple[float, str]:
    """How long a command takes, and what it printed; a failure ends the run."""
    begun = time.monotonic()
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"{result.stdout}{result.stderr}error: {command[0]} failed\nfix: see above")
    return time.monotonic() - begun, result.stdout


def main() -> None:
    site, ping = [], []
    for _ in range(RUNS):
        took, said = seconds(["bin/site", *sys.argv[1:]])
        if not re.search(r"changed=0 ", said):
            raise SystemExit("error: this run changed something\nfix: run bin/site once before")
        site.append(took)
        ping.append(
            seconds([".venv/bin/ansible", "localhost", "-c", "local", "-m", "ansible.builtin.ping"])[0]
        )
    figures = {
        "median_s": round(statistics.median(site), 1),
        "ratio_to_ansible": round(statistics.median(site) / statistics.median(ping), 1),
        "ansible_s": round(statistics.median(ping), 2),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
