"""The state of a run, in the file `state.json`: replaced whole, so that a reader never sees half of one."""

from __future__ import annotations

import json
import os
from typing import TypedDict

STATE = "state.json"


class ExitFile(TypedDict):
    """How the first process ended; times are seconds since 1970."""

    code: int | None
    signal: int | None
    at: float
    failure: str | None


class StateFile(TypedDict):
    """What `state.json` holds. Identities are [pid, start time in clock ticks since boot]."""

    run: str
    boot: str  # id of the machine's boot: pids and start times mean nothing in another
    runner: list[int]
    process: list[int] | None
    exit: ExitFile | None
    ended: float | None  # when the last of the tree had ended
    stopped: bool
    output_from: int


def boot_id() -> str:
    """The id of this boot of the machine."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


def write(folder: str, state: StateFile, *, durable: bool) -> None:
    """Put `state` in place of what was there; `durable` waits for the disk. Raises OSError."""
    path = f"{folder}/{STATE}"
    new = f"{path}.new"
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, json.dumps(state).encode())
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(new, path)
