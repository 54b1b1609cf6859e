"""The boot of this machine, or of the container that the agent is in: proc(5)."""

from __future__ import annotations

from pathlib import Path


def boot_id() -> str:
    """A text that is another after each boot; blocking. A container has the kernel's id and the start of its PID 1."""
    kernel = _read("/proc/sys/kernel/random/boot_id").strip()
    fields = _read("/proc/1/stat").rpartition(")")[2].split()
    return f"{kernel}/{fields[19] if len(fields) > 19 else ''}"


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
