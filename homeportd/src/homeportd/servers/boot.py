"""The boot of this machine, or of the container that the agent is in: proc(5)."""

from __future__ import annotations

from homeportd.processes.runner import state, tree


def boot_id() -> str:
    """A text that is another after each boot; blocking. A container has the kernel's id and the start of its PID 1."""
    first = tree.stat(1)
    return f"{state.boot_id()}/{first.started if first is not None else ''}"
