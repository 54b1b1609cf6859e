"""The machine's load as the API shows it."""

from pydantic import BaseModel

from homeportd.system.model import System


class AmountView(BaseModel):
    """Bytes in use, of how many."""

    used: int
    total: int


class SystemView(BaseModel):
    """Load of the machine; the disk is the one that holds Homeport's data."""

    cpu_percent: float
    cpu_count: int
    memory: AmountView
    disk: AmountView


def system_view(system: System) -> SystemView:
    """One reading."""
    return SystemView(
        cpu_percent=system.cpu_percent,
        cpu_count=system.cpu_count,
        memory=AmountView(used=system.memory.used, total=system.memory.total),
        disk=AmountView(used=system.disk.used, total=system.disk.total),
    )
