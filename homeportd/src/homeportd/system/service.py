"""Reading the load of this machine.

On Linux from /proc, in some fifty lines: psutil would answer the same, but costs 2.2 MB of the agent's memory
(measured as resident size, before and after the import), where all of the agent may take 60. Elsewhere psutil
it is.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from pathlib import Path
from typing import Any

from homeportd.system.model import Amount, CpuTimes, Load, cpu_percent, cpu_times, memory

FRESH = 0.5  # seconds that a reading is good for: a shorter stretch says nothing about load

_STAT, _MEMORY = Path("/proc/stat"), Path("/proc/meminfo")


class System:
    """Readings of processor, memory and the disk that holds the data."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir
        self._times = CpuTimes(0, 0)
        self._load: Load | None = None
        self._read_at = 0.0  # monotonic seconds

    def read(self) -> Load:
        """A reading, at most FRESH seconds old; a tenth of a millisecond. Raises OSError when there is none.

        The first one has no reading before it, so its processor load is that since boot.
        """
        now = time.monotonic()
        if self._load is None or now - self._read_at >= FRESH:
            before = self._times
            self._times, in_use, disk = _read(self._folder)
            percent = cpu_percent(before, self._times)
            self._load = Load(percent, os.cpu_count() or 1, in_use, disk)
            self._read_at = now
        return self._load


def _read(folder: Path) -> tuple[CpuTimes, Amount, Amount]:
    status = os.statvfs(_existing(folder))
    disk = Amount(
        (status.f_blocks - status.f_bfree) * status.f_frsize,
        status.f_blocks * status.f_frsize,
    )
    if sys.platform == "linux":
        with _STAT.open() as file:
            times = cpu_times(file.readline())
        return times, memory(_MEMORY.read_text()), disk
    return *_by_psutil(), disk


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next((each for each in (folder, *folder.parents) if each.exists()), Path("/"))


def _by_psutil() -> tuple[CpuTimes, Amount]:
    # By name, so that type checking does not depend on whether stubs of psutil are installed.
    psutil: Any = importlib.import_module("psutil")
    times = psutil.cpu_times()
    virtual = psutil.virtual_memory()
    return CpuTimes(times.idle, sum(times)), Amount(virtual.total - virtual.available, virtual.total)
