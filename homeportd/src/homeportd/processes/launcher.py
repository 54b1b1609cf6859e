"""How a runner is started: by the agent itself, in a session of its own, so that it outlives the agent."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Final, Protocol

from homeportd.errors import HomeportError
from homeportd.printable import printable
from homeportd.processes import runner
from homeportd.processes.folder import MARK, ProcessFolder
from homeportd.processes.model import ProcessSpec

LAUNCH_S: Final = 10.0
MAX_ERROR: Final = 2000  # bytes of what a runner that failed said
LOG = "runner.log"


class LaunchError(HomeportError):
    """A runner could not be started."""

    def __init__(self, detail: str, fix: str = "start it again") -> None:
        super().__init__(detail, fix)


class Launcher(Protocol):
    """One way of starting runners."""

    async def launch(self, folder: ProcessFolder, spec: ProcessSpec, run: str) -> None:
        """Start the runner of `folder` for `run`. Raises LaunchError."""

    async def kill(self, folder: ProcessFolder, run: str) -> None:
        """End at once what a guarantee of the system's still holds of `run`. Harmless where there is none."""


def command(folder: ProcessFolder, run: str) -> list[str]:
    """The command of a runner; isolated from what a folder or an environment might bring to Python."""
    program = Path(runner.__file__).with_name("__main__.py")
    return [sys.executable, "-I", "-S", "-B", str(program), str(folder.path), run]


def runner_environment(folder: ProcessFolder, run: str) -> dict[str, str]:
    """The environment of a runner itself: the mark by which its tree is found, from before the command runs."""
    return {MARK: folder.mark(run), "PATH": os.defpath, "LC_ALL": "C.UTF-8"}


class DirectLauncher:
    """Starts runners as processes that are nobody's children."""

    async def launch(self, folder: ProcessFolder, spec: ProcessSpec, run: str) -> None:
        """See Launcher; `spec` is in the folder."""
        log = await asyncio.to_thread(self._open_log, folder)
        try:
            process = await asyncio.create_subprocess_exec(
                *command(folder, run),
                "--detach",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=runner_environment(folder, run),
                start_new_session=True,
            )
        except OSError as error:
            raise LaunchError(f"Python does not start: {error.strerror}") from error
        finally:
            os.close(log)
        try:
            async with asyncio.timeout(LAUNCH_S):
                status = await process.wait()
        except TimeoutError as error:
            process.kill()
            raise LaunchError("the machine is too busy") from error
        if status != 0:
            raise LaunchError(
                await asyncio.to_thread(last_words, folder) or f"the runner ended with {status}"
            )

    async def kill(self, folder: ProcessFolder, run: str) -> None:
        """Nothing holds a tree here but the runner."""

    @staticmethod
    def _open_log(folder: ProcessFolder) -> int:
        return os.open(folder.path / LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)


def last_words(folder: ProcessFolder) -> str:
    """The last line of what a runner said that failed; "" where it said nothing."""
    try:
        data = (folder.path / LOG).read_bytes()[-MAX_ERROR:]
    except OSError:
        return ""
    lines = data.decode("utf-8", "replace").strip().splitlines()
    return printable(lines[-1]) if lines else ""
