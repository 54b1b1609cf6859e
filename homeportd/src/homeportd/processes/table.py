"""The processes of the machine at a moment, and what trees of them use."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from homeportd.processes.model import ProcessIdentity
from homeportd.processes.runner import tree
from homeportd.processes.runner.tree import Stat

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
MAX_ENVIRON: Final = 256 * 1024  # bytes of an environment that are looked through


@dataclass(frozen=True)
class TreeUsage:
    """What a tree uses at a moment: resident bytes, seconds of processor since its start, processes."""

    memory: int
    cpu_s: float
    processes: int


@dataclass(frozen=True)
class ProcessTable:
    """All processes as they were at `taken`, in monotonic seconds."""

    taken: float
    stats: Mapping[int, Stat]

    @classmethod
    def take(cls) -> ProcessTable:
        """Read /proc; some milliseconds."""
        return cls(time.monotonic(), tree.processes())

    def pids(self, runner: ProcessIdentity) -> tuple[int, ...]:
        """The pids below a runner, parents before children; none where it is gone."""
        found = self.stats.get(runner.pid)
        if found is None or found.started != runner.start_time:
            return ()
        return tuple(tree.below((runner.pid,), self.stats))

    def usage(self, runner: ProcessIdentity) -> TreeUsage:
        """What the tree below a runner uses. Memory that processes share is counted in each."""
        stats = [self.stats[pid] for pid in self.pids(runner)]
        return TreeUsage(
            memory=sum(one.rss for one in stats) * _PAGE,
            cpu_s=sum(one.cpu for one in stats) / _TICKS,
            processes=len(stats),
        )


def marked(variable: str, value: str) -> list[int]:
    """The pids whose environment has `variable` with `value`, as far as this user may look."""
    wanted = f"{variable}={value}".encode()
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208 - for every process of the machine
        if name.isdigit():
            try:
                with open(f"/proc/{name}/environ", "rb", 0) as file:  # noqa: PTH123
                    data = file.read(MAX_ENVIRON)
            except OSError:
                continue
            if wanted in data.split(b"\0"):
                found.append(int(name))
    return found
