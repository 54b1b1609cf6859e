"""The agent and the load of its machine."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime

from homeportd.system.served_user import UserChoice


@dataclass(frozen=True)
class About:
    """The agent, by its settings. `origin` None: no workstation; `user_choice` None: not in the settings."""

    dashboard: str
    origin: str | None
    user_choice: UserChoice | None
    started_at: datetime


@dataclass(frozen=True)
class Counts:
    """Numbers of things on this machine. Each assembly counts those of its rooms; `+` joins them."""

    ports: int = 0
    shared: int = 0
    repos: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            **{each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(self)}
        )


@dataclass(frozen=True)
class Amount:
    """Bytes in use, and bytes in total."""

    used: int
    total: int


@dataclass(frozen=True)
class Load:
    """One reading. `cpu_percent` is over all processors together, 0 to 100, since the reading before."""

    cpu_percent: float
    cpu_count: int
    memory: Amount
    disk: Amount


@dataclass(frozen=True)
class CpuTimes:
    """The time of all processors together since boot, in any one unit."""

    idle: float
    total: float


def cpu_percent(before: CpuTimes, after: CpuTimes) -> float:
    """The share of time between two readings that was not idle, 0 to 100, to one decimal."""
    total = after.total - before.total
    if total <= 0:
        return 0.0
    busy = total - (after.idle - before.idle)  # idle may run backwards a little: man 5 proc_stat
    return round(min(max(100.0 * busy / total, 0.0), 100.0), 1)


def cpu_times(line: str) -> CpuTimes:
    """Read the first line of /proc/stat; raises ValueError for any other."""
    name, *numbers = line.split()
    if name != "cpu" or len(numbers) < 4:
        raise ValueError(f"not the cpu line of /proc/stat: {line[:80]!r}")
    values = [int(number) for number in numbers[:8]]  # guest times, behind these, are part of user time
    idle = values[3] + (values[4] if len(values) > 4 else 0)  # with waiting for disks
    return CpuTimes(idle, sum(values))


def memory(text: str) -> Amount:
    """Read /proc/meminfo; in use is what a new program could not have. Raises ValueError."""
    values = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        if name in ("MemTotal", "MemAvailable"):
            values[name] = int(rest.split()[0]) * 1024
    if len(values) != 2:
        raise ValueError("/proc/meminfo has no MemTotal or MemAvailable")
    return Amount(values["MemTotal"] - values["MemAvailable"], values["MemTotal"])
