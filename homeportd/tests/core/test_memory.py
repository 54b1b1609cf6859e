"""Memory that start-up freed goes back to the system."""

import subprocess
import sys

FREED_MB = 30
PROGRAM = f"""
import os
from pathlib import Path
from homeportd.memory import settle

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6

blocks = [bytes(1000) for _ in range({FREED_MB} * 1000)]
last = bytes(1000)  # above the blocks, so that freeing these alone shortens no heap
del blocks
before = resident_mb()
settle()
print(before - resident_mb())
"""


def test_freed_memory_is_given_back() -> None:
    given = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True, text=True).stdout
    assert float(given) > FREED_MB * 0.8
