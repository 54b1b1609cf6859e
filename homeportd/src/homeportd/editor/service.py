"""The editor: started by the first who asks for it, stopped when nobody uses it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from homeportd.editor.extensions import Extensions
from homeportd.editor.model import (
    FIRST_SETTINGS,
    PROCESS,
    EditorState,
    EditorStatus,
    address,
    is_idle,
    machine_settings,
    spec,
)
from homeportd.editor.preferences import SECTION, EditorPreferences
from homeportd.editor.settings import EditorSettings
from homeportd.errors import Problem
from homeportd.origin import Origin
from homeportd.preferences.service import Preferences
from homeportd.processes.model import Process, ProcessState
from homeportd.processes.service import Processes
from homeportd.tasks import TaskSet

READY_S: Final = 60.0  # for the editor to answer; half a second as a rule, more on a busy machine
LOOK_S: Final = 0.1  # between two looks whether it answers
RETRY_S: Final = 10.0  # after a start that failed, before a request for a page tries again
LAST_LINES: Final = 5  # of its output, in the log of the agent

_log = logging.getLogger(__name__)


class Editor:
    """The one editor of a workstation. It outlives the agent, and its windows are connected again after a restart.

    `listening` gives the pids of processes that listen on a port.
    """

    def __init__(
        self,
        settings: EditorSettings,
        processes: Processes,
        extensions: Extensions,
        preferences: Preferences,
        socket: Path,
        origin: Origin,
        repo_root: Path,
        listening: Callable[[], Iterable[int]],
    ) -> None:
        self.socket = socket
        self._settings = settings
        self._processes = processes
        self._extensions = extensions
        self._preferences = preferences
        self._origin = origin
        self._repo_root = repo_root
        self._listening = listening
        self._ready = False
        self._failure: str | None = None
        self._failed_at = 0.0
        self._used_at = time.time()
        self._starting: asyncio.Task[None] | None = None
        self._tasks = TaskSet()
        processes.exited.subscribe(self._exited)

    async def take_up(self) -> None:
        """Take up an editor that ran before the agent did."""
        if self._processes.running(PROCESS):
            self._begin()

    async def close(self) -> None:
        """Let go of the editor, which runs on."""
        await self._tasks.close()

    def address(self, folder: Path | None = None) -> str:
        """The address that opens a folder; the folder of repos without one."""
        return address(self._origin, folder or self._repo_root)

    @property
    def state(self) -> EditorState:
        """The state of this moment."""
        if self._ready:
            return EditorState.RUNNING
        if self._starting is not None:
            return EditorState.STARTING
        return EditorState.STOPPED if self._failure is None else EditorState.FAILED

    @property
    def failure(self) -> str | None:
        """What kept the editor from running at the last try, as a phrase."""
        return self._failure

    async def status(self) -> EditorStatus:
        """The state, with the memory of the whole tree."""
        usage = await self._processes.usage(PROCESS)
        return EditorStatus(self.state, usage.memory if usage is not None else None, self._failure)

    def wake(self) -> EditorState:
        """The state, for a request that the owner has sent; a stopped editor begins to start."""
        state = self.state
        failed_now = state is EditorState.FAILED and time.monotonic() - self._failed_at < RETRY_S
        if state in (EditorState.STOPPED, EditorState.FAILED) and not failed_now:
            self._begin()
            return EditorState.STARTING
        return state

    async def start(self) -> None:
        """Start the editor where it does not run, and return when it answers. Raises Problem 503."""
        if not self._ready:
            self._begin()
            assert self._starting is not None  # noqa: S101 - just begun
            await asyncio.shield(self._starting)
        if not self._ready:
            raise Problem(
                503,
                f"the editor does not start: {self._failure or 'it was stopped'}",
                "try again; the agent's log has its last lines",
            )

    async def stop(self) -> None:
        """Stop the editor with all that was started in its terminals. Harmless where it does not run."""
        self._ready = False
        if self._processes.running(PROCESS):
            await self._processes.stop(PROCESS)

    async def stop_if_idle(self) -> None:
        """Stop the editor where no window was open for the time that the settings say, and nothing in it listens."""
        minutes = self._preferences.get(SECTION, EditorPreferences).idle_minutes
        if not self._ready or minutes == 0:
            return
        heartbeat = await asyncio.to_thread(_modified, self._settings.data / "heartbeat")
        used_at = max(self._used_at, heartbeat)
        tree = await self._processes.pids(PROCESS)
        if is_idle(time.time(), used_at, minutes * 60, self._listening(), tree):
            _log.info("the editor is stopped: no window was open for %d minutes", minutes)
            await self.stop()

    def _begin(self) -> None:
        if self._starting is None:
            self._failure = None
            self._starting = self._tasks.spawn(self._start(), "the editor")

    async def _start(self) -> None:
        try:
            if not self._processes.running(PROCESS):
                await asyncio.to_thread(self._make_room)
                await self._processes.start(spec(self._settings, self.socket, self._origin, self._repo_root))
            async with asyncio.timeout(READY_S):
                # code-server has no way to say when it listens.
                while self._processes.running(PROCESS) and not await self._answers():  # noqa: ASYNC110
                    await asyncio.sleep(LOOK_S)
            if not self._processes.running(PROCESS):
                lines = await self._processes.tail(PROCESS, LAST_LINES, this_run=True)
                _log.warning("the editor has ended: %s", " | ".join(ascii(line.text) for line in lines))
                self._fail("it ended before it answered")
                return
            self._used_at = time.time()
            self._ready = True
            self._tasks.spawn(self._extensions.install_missing(), "extensions of the editor")
        except Problem as problem:
            self._fail(problem.detail)
        except TimeoutError:
            self._fail(f"it did not answer within {READY_S:.0f} s")
            await self._processes.stop(PROCESS)
        except OSError as error:
            self._fail(f"its folder cannot be made: {error.strerror}")
        finally:
            self._starting = None

    def _make_room(self) -> None:
        for made in (self._settings.data, self._settings.extensions):
            made.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder, text in (("User", FIRST_SETTINGS), ("Machine", machine_settings(self._settings.path))):
            file = self._settings.data / folder / "settings.json"
            if not file.exists():
                file.parent.mkdir(mode=0o700, exist_ok=True)
                file.write_text(text)
        self.socket.unlink(missing_ok=True)  # the one of an editor that was killed

    async def _answers(self) -> bool:
        try:
            _reader, writer = await asyncio.open_unix_connection(self.socket)
        except OSError:
            return False
        writer.close()
        # code-server listens before it gives the socket its mode, upon which the group of Caddy may connect.
        return await asyncio.to_thread(lambda: self.socket.stat().st_mode & 0o060 == 0o060)

    def _fail(self, failure: str) -> None:
        self._failure, self._failed_at = failure, time.monotonic()

    def _exited(self, process: Process) -> None:
        if process.id == PROCESS and process.state is ProcessState.EXITED:
            self._ready = False


def _modified(path: Path) -> float:
    """The time at which a file was last written, in seconds since 1970; 0 where there is none."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
