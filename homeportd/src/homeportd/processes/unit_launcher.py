"""How a runner is started where systemd is: as a transient unit of the agent's user's manager.

The unit is out of the agent's sandbox and outlives the agent; its cgroup bounds the tree, and holds what would
escape the runner.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from homeportd.accounts import own_name
from homeportd.processes.folder import ProcessFolder
from homeportd.processes.launcher import LaunchError, command, runner_environment
from homeportd.processes.model import ProcessSpec
from homeportd.processes.user_manager import ManagerError, Property, UserManager

OPEN_FILES: Final = 65536  # a bundler watches many; the soft limit of a login is 1024
LATE_S: Final = 5.0  # that the runner has beyond the spec's own time to stop
BOOT_S: Final = (
    20.0  # how long after its own start the agent waits for the manager, as both come up at a boot
)
WAIT_S: Final = 0.2

log = logging.getLogger(__name__)


def unit_name(folder: ProcessFolder, run: str) -> str:
    """The unit of a run."""
    return f"homeport-{folder.id}-{run}.service"


def properties(folder: ProcessFolder, spec: ProcessSpec, run: str) -> list[Property]:
    """The properties of a runner's unit, with D-Bus signatures (org.freedesktop.systemd1)."""
    words = command(folder, run)
    limits: list[Property] = []
    if spec.memory_max is not None:
        limits.append(("MemoryMax", ("t", spec.memory_max)))
    if spec.tasks_max is not None:
        limits.append(("TasksMax", ("t", spec.tasks_max)))
    return [
        ("Description", ("s", f"Homeport: {folder.id}")),
        ("Type", ("s", "exec")),
        # `no-env-expand`: a dollar sign in the path of the folder is one.
        ("ExecStartEx", ("a(sasas)", [(words[0], words, ["no-env-expand"])])),
        ("Environment", ("as", [f"{key}={value}" for key, value in runner_environment(folder, run).items()])),
        # The runner is told to stop, and stops its tree; what is left when it has ended, or late, is killed.
        ("KillMode", ("s", "mixed")),
        ("TimeoutStopUSec", ("t", int((spec.stop_timeout_s + LATE_S) * 1_000_000))),
        # One process of a tree that takes too much memory ends; the others, and the runner, see it.
        ("OOMPolicy", ("s", "continue")),
        ("LimitNOFILE", ("t", OPEN_FILES)),
        ("LimitNOFILESoft", ("t", OPEN_FILES)),
        ("UMask", ("u", 0o022)),
        ("CollectMode", ("s", "inactive-or-failed")),
        *limits,
    ]


class UnitLauncher:
    """Starts runners as units."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def launch(self, folder: ProcessFolder, spec: ProcessSpec, run: str) -> None:
        """See Launcher."""
        try:
            await asyncio.to_thread(self._start, unit_name(folder, run), properties(folder, spec, run))
        except (OSError, ManagerError) as error:
            raise LaunchError(f"the user manager of {own_name()} says: {error}") from error

    async def kill(self, folder: ProcessFolder, run: str) -> None:
        """See Launcher."""
        try:
            await asyncio.to_thread(self._kill, unit_name(folder, run))
        except (OSError, ManagerError) as error:
            log.warning("the unit of %s cannot be killed: %s", folder.id, error)

    def _start(self, unit: str, values: Sequence[Property]) -> None:
        with UserManager(self._path) as manager:
            manager.start(unit, values)

    def _kill(self, unit: str) -> None:
        with UserManager(self._path) as manager:
            manager.kill(unit, signal.SIGKILL)
