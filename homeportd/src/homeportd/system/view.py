"""The machine's load as the API shows it."""

from pydantic import BaseModel

from homeportd.system.model import Load


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


def system_view(load: Load) -> SystemView:
    """One reading."""
    return SystemView(
        cpu_percent=load.cpu_percent,
        cpu_count=load.cpu_count,
        memory=AmountView(used=load.memory.used, total=load.memory.total),
        disk=AmountView(used=load.disk.used, total=load.disk.total),
    )
