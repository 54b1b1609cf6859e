"""Processes that outlive the agent: start, stop, state, output, usage. What runs is found again by its folder."""

from __future__ import annotations

import asyncio
import logging
import secrets
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from homeportd.errors import Problem, invalid, not_found
from homeportd.processes.environment import environment
from homeportd.processes.folder import MARK, NO_ROOM, ProcessFolder, folders, put
from homeportd.processes.launcher import Launcher, LaunchError
from homeportd.processes.model import (
    ID,
    Chunk,
    OutputLine,
    Process,
    ProcessIdentity,
    ProcessSpec,
    ProcessState,
    TerminalSize,
    Usage,
)
from homeportd.processes.orphans import alive, end_orphans, send_to
from homeportd.processes.output import Output
from homeportd.processes.runner import tree
from homeportd.processes.system_launcher import SystemLauncher
from homeportd.processes.trees import Trees
from homeportd.processes.watch import FolderWatch
from homeportd.signal import Signal
from homeportd.tasks import TaskSet

START_S: Final = 15.0  # until a runner must have tried its command
KILL_S: Final = 5.0  # after the time-out of a spec: the runner itself must have ended by then
END_S: Final = 15.0  # after SIGKILL
LOOK_S: Final = 1.0  # between two looks for runners that were killed
COALESCE_S: Final = 0.01  # a follower reads what came within it as one piece
MAX_PROCESSES: Final = 256  # that run at a time
MAX_FOLLOWERS: Final = 64  # of one process
MAX_INPUT: Final = 4096  # bytes written at once into a FIFO, which takes them whole or not at all (PIPE_BUF)
INPUT_S: Final = 0.02  # between two tries to write into a FIFO that is full

log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Live:
    """A process that has not ended: its watches, and who waits for its news."""

    process: Process
    key: int
    output_key: int | None = None
    followers: set[asyncio.Event] = field(default_factory=set)
    news: asyncio.Event = field(default_factory=asyncio.Event)  # of its state; made anew at each
    mending: bool = False


class Processes:
    """All processes in the folder `root`; one agent at a time may have it.

    `changed` is emitted with a Process after each change of its state, `exited` when the last of its tree has ended.
    What ended while no agent ran is in `all()` after `open`.
    """

    def __init__(self, root: Path, launcher: Launcher | None = None) -> None:
        self.changed: Signal[[Process]] = Signal()
        self.exited: Signal[[Process]] = Signal()
        self._root = root
        self._launcher: Launcher = launcher or SystemLauncher()
        self._known: dict[str, Process] = {}
        self._live: dict[str, _Live] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._tasks = TaskSet()
        self._watch: FolderWatch
        self._trees = Trees()

    async def open(self) -> None:
        """Find what ran before. Orphans of runners that were killed are ended. Raises OSError."""
        await asyncio.to_thread(self._root.mkdir, mode=0o700, parents=True, exist_ok=True)
        self._watch = FolderWatch()
        for folder in await asyncio.to_thread(folders, self._root):
            process = await asyncio.to_thread(folder.process)
            if process is None:
                continue
            if process.state is not ProcessState.EXITED and not await asyncio.to_thread(folder.held):
                process = await self._bury(folder, process)
            if process.state is ProcessState.EXITED:
                self._known[folder.id] = process
            else:  # its runner may have come only now, of a start that the last agent did not see through
                self._follow_state(process)
        self._tasks.repeat(LOOK_S, self._look, "runners of processes")

    async def close(self) -> None:
        """Let go of all processes; they run on."""
        await self._tasks.close()
        for live in self._live.values():
            live.news.set()
            for follower in live.followers:
                follower.set()
        self._live.clear()
        await self._watch.close()

    def all(self) -> tuple[Process, ...]:
        """The last run of every id, sorted by id."""
        return tuple(self._known[each] for each in sorted(self._known))

    def get(self, id: str) -> Process | None:
        """The last run of an id; None where it was never started."""
        return self._known.get(id)

    def running(self, id: str) -> bool:
        """Whether something of an id's tree runs, or is being started."""
        return id in self._live

    async def start(self, spec: ProcessSpec) -> Process:
        """Start a process, and return when its command was executed, or could not be (`exit.failure`).

        Raises Problem: 409 while the id runs, 422 for a spec that cannot be, 503 where no more may run, 500 where
        the machine refuses.
        """
        if not ID.fullmatch(spec.id) or not spec.argv or any("\0" in word for word in spec.argv):
            raise invalid(f"{spec.id!r} cannot be run: no id or no command", "name a command")
        async with self._lock(spec.id):
            if spec.id in self._live:
                raise Problem(409, f"{spec.id} runs already", "stop it first, or restart it")
            if len(self._live) >= MAX_PROCESSES:
                raise Problem(503, f"{MAX_PROCESSES} processes run", "stop one of them")
            return await self._start(spec)

    async def stop(self, id: str) -> Process:
        """Stop a whole tree, and return when nothing of it is left: SIGTERM, after the spec's time SIGKILL.

        A process that has ended stays as it is. Raises Problem 404.
        """
        async with self._lock(id):
            process = self._known.get(id)
            if process is None:
                raise not_found(f"the process {id}", "start it first")
            if id in self._live:
                await self._stop(ProcessFolder(self._root / id))
            return self._known[id]

    async def remove(self, id: str) -> None:
        """Stop a process and forget it, with its output. Harmless where there is none."""
        if id not in self._known:
            return
        await self.stop(id)
        async with self._lock(id):
            self._known.pop(id, None)
            await asyncio.to_thread(ProcessFolder(self._root / id).remove)
        self._locks.pop(id, None)

    async def tail(self, id: str, lines: int, *, this_run: bool = False) -> list[OutputLine]:
        """The last lines of what an id printed, in its last run alone with `this_run`; none where it never ran."""
        process = self._known.get(id)
        if process is None:
            return []
        since = process.output_from if this_run else 0
        return await asyncio.to_thread(self._output(id).tail, lines, since=since)

    async def bounds(self, id: str) -> tuple[int, int]:
        """The offsets of the first byte of output that is kept, and after the last."""
        return await asyncio.to_thread(self._output(id).bounds)

    async def output(self, id: str, since: int = 0, *, across_runs: bool = False) -> AsyncIterator[Chunk]:
        """What an id prints from the offset `since` on, as it comes, until its run has ended.

        `across_runs` goes on with the next run, for ever. What is not kept any more is left out: offsets tell. One
        piece is held at a time, so a slow reader costs nothing. Raises Problem 503 where too many follow.
        """
        output = self._output(id)
        position = since
        while True:
            with self._following(id) as news:
                while True:
                    running = id in self._live
                    news.clear()
                    chunk = await asyncio.to_thread(output.read, position)
                    if chunk is not None:
                        position = chunk.end
                        yield chunk
                        await asyncio.sleep(COALESCE_S)
                    elif not running:
                        break
                    else:
                        await news.wait()
            if not across_runs:
                return
            await asyncio.sleep(LOOK_S)

    async def write(self, id: str, data: bytes) -> None:
        """Type `data` into a process's terminal; waits while its program takes nothing. Ignored once it ended."""
        path = ProcessFolder(self._root / id).input
        for start in range(0, len(data), MAX_INPUT):
            # A FIFO that its reader holds open in both directions does not say when it has room again.
            while id in self._live and not put(path, data[start : start + MAX_INPUT]):  # noqa: ASYNC110
                await asyncio.sleep(INPUT_S)

    def resize(self, id: str, size: TerminalSize) -> None:
        """Give a process's terminal another size. Ignored once it ended."""
        if id in self._live:
            put(ProcessFolder(self._root / id).control, f"size {size.columns} {size.rows}\n".encode())

    async def pids(self, id: str) -> frozenset[int]:
        """The pids of an id's whole tree, a second old at most; to be compared with those that listen."""
        runner = self._runner(id)
        return frozenset() if runner is None else await self._trees.pids(runner)

    async def id_of(self, pid: int) -> str | None:
        """The id of the process whose tree `pid` is in; None where it is no process of ours."""
        for id in tuple(self._live):
            if pid in await self.pids(id):
                return id
        return None

    async def usage(self, id: str) -> Usage | None:
        """What an id's tree uses, a second old at most; None where it does not run."""
        runner = self._runner(id)
        return None if runner is None else await self._trees.usage(runner)

    def _runner(self, id: str) -> ProcessIdentity | None:
        live = self._live.get(id)
        return None if live is None else live.process.runner

    async def _start(self, spec: ProcessSpec) -> Process:
        folder = ProcessFolder(self._root / spec.id)
        run = secrets.token_hex(8)
        whole = environment(spec.environment, terminal=spec.terminal or spec.interactive)
        try:
            await asyncio.to_thread(folder.write_spec, spec, run, whole)
        except OSError as error:
            reason = "the disk is full" if error.errno in NO_ROOM else error.strerror
            raise Problem(500, f"{spec.id} cannot be started: {reason}", "make room on the disk") from error
        process = await asyncio.to_thread(folder.process)
        assert process is not None  # noqa: S101 - written above
        live = self._follow_state(process)
        try:
            await self._launcher.launch(folder, spec, run)
            async with asyncio.timeout(START_S):
                while spec.id in self._live and live.process.identity is None and live.process.exit is None:
                    await live.news.wait()
        except (LaunchError, TimeoutError) as error:
            late = LaunchError("it was not executed in time")
            problem = error if isinstance(error, LaunchError) else late
            await self._launcher.kill(folder, run)
            if spec.id in self._live and not await asyncio.to_thread(folder.held):
                await self._bury_live(live)
            raise Problem(500, f"{spec.id} cannot be started: {problem.detail}", problem.fix) from error
        return self._known[spec.id]

    async def _stop(self, folder: ProcessFolder) -> None:
        live = self._live[folder.id]
        spec = await asyncio.to_thread(folder.spec)
        limit = float(spec["stop_timeout_s"]) + KILL_S if spec is not None else KILL_S
        try:
            async with asyncio.timeout(limit):
                while live.process.runner is None and folder.id in self._live:
                    await live.news.wait()  # it was found at its very beginning
                send_to(live.process.runner, signal.SIGTERM)
                while folder.id in self._live:
                    await live.news.wait()
        except TimeoutError:
            log.warning("the runner of %s does not end; its tree is killed", folder.id)
            await self._kill(folder, live)

    async def _kill(self, folder: ProcessFolder, live: _Live) -> None:
        """End a tree whose runner does not: a debugger holds it, or it waits for a disk."""
        runner = live.process.runner
        if runner is not None and alive(runner):
            await asyncio.to_thread(tree.kill_below, runner.pid)
            send_to(runner, signal.SIGKILL)
        await self._launcher.kill(folder, live.process.run)
        try:
            async with asyncio.timeout(END_S):
                while folder.id in self._live:
                    await live.news.wait()
        except TimeoutError:
            fix = "look at its processes: ps -ef; one that waits for a disk ends when that answers"
            raise Problem(500, f"some processes of {folder.id} do not end", fix) from None

    def _follow_state(self, process: Process) -> _Live:
        path = self._root / process.id
        live = _Live(process, self._watch.add(path, lambda: self._refresh(live)))
        self._live[process.id] = live
        self._known[process.id] = process
        self.changed.emit(process)
        self._refresh(live)
        return live

    def _refresh(self, live: _Live) -> None:
        """Read the state anew; a small file, as a rule in memory."""
        if self._live.get(live.process.id) is not live:
            return
        process = ProcessFolder(self._root / live.process.id).process()
        if process is None or process.run != live.process.run or process == live.process:
            return
        if process.state is ProcessState.EXITED:
            self._done(live, process)
            return
        live.process = self._known[process.id] = process
        self._wake(live)
        self.changed.emit(process)

    def _done(self, live: _Live, process: Process) -> None:
        if self._live.get(process.id) is not live:
            return
        del self._live[process.id]
        self._watch.remove(live.key)
        if live.output_key is not None:
            self._watch.remove(live.output_key)
        live.process = self._known[process.id] = process
        self._wake(live)
        for follower in live.followers:
            follower.set()
        self.changed.emit(process)
        self.exited.emit(process)

    def _wake(self, live: _Live) -> None:
        live.news.set()
        live.news = asyncio.Event()

    def _look(self) -> None:
        """Find runners that were killed: they said no last word."""
        for live in tuple(self._live.values()):
            self._refresh(live)
            gone = live.process.runner is not None and not alive(live.process.runner)
            if gone and not live.mending and live.process.id in self._live:
                live.mending = True
                self._tasks.spawn(self._mend(live), f"orphans of {live.process.id}")

    async def _mend(self, live: _Live) -> None:
        try:
            await self._bury_live(live)
        finally:
            live.mending = False

    async def _bury_live(self, live: _Live) -> None:
        process = await self._bury(ProcessFolder(self._root / live.process.id), live.process)
        if process.state is ProcessState.EXITED:
            self._done(live, process)

    async def _bury(self, folder: ProcessFolder, process: Process) -> Process:
        """End what a killed runner left, and write down that the run has ended; unless its runner has come only now."""
        await self._launcher.kill(folder, process.run)
        if not await asyncio.to_thread(end_orphans, MARK, folder.mark(process.run)):
            log.warning("some processes of %s could not be ended", folder.id)
        await asyncio.to_thread(folder.mend)
        return await asyncio.to_thread(folder.process) or process

    @contextmanager
    def _following(self, id: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever there may be more output of an id."""
        event = asyncio.Event()
        live = self._live.get(id)
        if live is None:
            yield event
            return
        if len(live.followers) >= MAX_FOLLOWERS:
            raise Problem(503, f"{MAX_FOLLOWERS} readers follow {id}", "close one of them")
        if not live.followers:
            followers = live.followers

            def wake() -> None:
                for follower in followers:
                    follower.set()

            live.output_key = self._watch.add(Path(ProcessFolder(self._root / id).output), wake)
        live.followers.add(event)
        try:
            yield event
        finally:
            live.followers.discard(event)
            if not live.followers and live.output_key is not None:
                self._watch.remove(live.output_key)
                live.output_key = None

    def _output(self, id: str) -> Output:
        return Output(ProcessFolder(self._root / id).output)

    def _lock(self, id: str) -> asyncio.Lock:
        return self._locks.setdefault(id, asyncio.Lock())
