"""How a runner is started on this machine: as a unit of the agent's user's manager, or by the agent itself."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import Final

from homeportd.accounts import own_name
from homeportd.processes.folder import ProcessFolder
from homeportd.processes.launcher import DirectLauncher, Launcher, LaunchError
from homeportd.processes.model import ProcessSpec

BOOT_S: Final = (
    20.0  # how long after its own start the agent waits for the manager, as both come up at a boot
)
WAIT_S: Final = 0.2


class SystemLauncher:
    """Starts runners the way that this machine has, found anew at each start: a manager comes up after the boot."""

    def __init__(self) -> None:
        self._direct = DirectLauncher()
        self._boot_ends = time.monotonic() + BOOT_S

    async def launch(self, folder: ProcessFolder, spec: ProcessSpec, run: str) -> None:
        """See Launcher."""
        path = manager_socket()
        if _is_service():
            while not path.exists() and time.monotonic() < self._boot_ends:  # noqa: ASYNC110
                await asyncio.sleep(WAIT_S)
        if path.exists():
            await _unit_launcher(path).launch(folder, spec, run)
        elif _is_service():
            # What the agent's own sandbox holds could not run: it forbids what compilers at run time need.
            raise LaunchError(
                f"the user manager of {own_name()} does not run",
                f"run bin/site, or as root: loginctl enable-linger {own_name()}",
            )
        else:
            await self._direct.launch(folder, spec, run)

    async def kill(self, folder: ProcessFolder, run: str) -> None:
        """See Launcher."""
        path = manager_socket()
        if path.exists():
            await _unit_launcher(path).kill(folder, run)


def _is_service() -> bool:
    """Whether this process is a unit of systemd's itself, and not merely below one."""
    return os.environ.get("SYSTEMD_EXEC_PID") == str(os.getpid())


def manager_socket() -> Path:
    """Where the manager of this process's user listens, whether or not it runs."""
    return Path(f"/run/user/{os.getuid()}/systemd/private")


def _unit_launcher(path: Path) -> Launcher:
    from homeportd.processes.unit_launcher import UnitLauncher  # D-Bus is memory, and not everywhere

    return UnitLauncher(path)
