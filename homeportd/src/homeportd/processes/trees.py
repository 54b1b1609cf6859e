"""The trees of runners, from one table of processes for all: 20 servers are one look at /proc a second."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from homeportd.processes.model import ProcessIdentity, Usage
from homeportd.processes.table import ProcessTable, TreeUsage

TABLE_S: Final = 1.0  # how old a table may be
YOUNG_S: Final = 0.1  # how old it may be where the runner is younger
KEPT: Final = 512  # runners whose last usage is known


class Trees:
    """What is below runners, and what it uses."""

    def __init__(self) -> None:
        self._table = ProcessTable(float("-inf"), {})
        self._taking: asyncio.Task[ProcessTable] | None = None
        self._usages: dict[ProcessIdentity, tuple[float, TreeUsage, Usage]] = {}

    async def pids(self, runner: ProcessIdentity) -> frozenset[int]:
        """The pids below a runner."""
        return frozenset((await self._fresh(runner)).pids(runner))

    async def usage(self, runner: ProcessIdentity) -> Usage:
        """What the tree below a runner uses; its `cpu` is that since the table before."""
        table = await self._fresh(runner)
        before = self._usages.pop(runner, None)
        if before is not None and before[0] == table.taken:
            self._usages[runner] = before
            return before[2]
        now = table.usage(runner)
        cpu = None
        if before is not None:
            cpu = max(0.0, now.cpu_s - before[1].cpu_s) / (table.taken - before[0])
        usage = Usage(memory=now.memory, cpu_s=now.cpu_s, cpu=cpu, processes=now.processes)
        self._usages[runner] = (table.taken, now, usage)
        if len(self._usages) > KEPT:
            del self._usages[next(iter(self._usages))]
        return usage

    async def _fresh(self, runner: ProcessIdentity) -> ProcessTable:
        """A table that is new enough, and knows of `runner`."""
        age = time.monotonic() - self._table.taken
        if age > TABLE_S or (runner.pid not in self._table.stats and age > YOUNG_S):
            if self._taking is None:
                self._taking = asyncio.create_task(asyncio.to_thread(ProcessTable.take))
            try:
                self._table = await asyncio.shield(self._taking)
            finally:
                self._taking = None
        return self._table
