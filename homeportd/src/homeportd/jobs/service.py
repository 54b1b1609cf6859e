"""The jobs of an agent: started, followed, cancelled, and kept when they have ended."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

from homeportd import clock
from homeportd.errors import HomeportError, Problem, not_found
from homeportd.jobs.model import Job, JobError, Line, Progress, State
from homeportd.jobs.store import JobStore
from homeportd.signal import Signal
from homeportd.tasks import TaskSet

AT_ONCE: Final = 4  # jobs that run; the others are queued
MAX_WAITING: Final = 64  # jobs that are queued or run
KEPT: Final = 200  # ended jobs
KEPT_LINES: Final = 2000  # of one job's log, the newest
MAX_TEXT: Final = 1000  # characters of a line, title, step, note
MAX_NOTES: Final = 20
WRITE_S: Final = 1.0  # between two writes of a running job's lines and progress
SHOW_S: Final = 0.25  # between two `changed` for progress and lines of one job
CLOSE_S: Final = 10.0  # for running work to end with the agent

_log = logging.getLogger(__name__)


class JobHandle:
    """A running job, as its work sees it. No method waits or fails."""

    def __init__(self, run: _Run) -> None:
        self._run = run

    @property
    def id(self) -> int:
        """The job's id."""
        return self._run.job.id

    def step(self, name: str) -> None:
        """Begin a step; the progress of the one before is no longer shown."""
        self._run.change(step=_shown(name), progress=None)
        self.line(name)

    def progress(self, done: int, total: int | None = None, unit: str = "") -> None:
        """Say how far this step is."""
        self._run.change(lasting=False, progress=Progress(done, total, unit))

    def line(self, text: str) -> None:
        """Add lines to the log."""
        for each in text.splitlines():
            self._run.add_line(_shown(each))

    def note(self, text: str) -> None:
        """Tell something that a person should know of the result."""
        if len(self._run.job.notes) < MAX_NOTES:
            self._run.change(notes=(*self._run.job.notes, _shown(text)))

    def subject(self, subject: str) -> None:
        """Name what the job is about, where that is known later than the job began."""
        self._run.change(subject=_shown(subject))


Work = Callable[[JobHandle], Awaitable[None]]


class _Run:
    """A job in memory, from its start to the write of its end."""

    def __init__(self, job: Job, changed: Callable[[_Run, bool], None]) -> None:
        self.job = job
        self.lines: deque[Line] = deque(maxlen=KEPT_LINES)
        self.written = 0  # number of the newest line on disk
        self.unwritten = False
        self.cancelled = False
        self.shown_at = 0.0
        self.show_later: asyncio.TimerHandle | None = None
        self.task: asyncio.Task[None] | None = None
        self._changed = changed

    def change(self, *, lasting: bool = True, **values: Any) -> None:
        self.job = replace(self.job, **values)
        self.unwritten = True
        self._changed(self, lasting)

    def add_line(self, text: str) -> None:
        number = self.job.lines + 1
        self.lines.append(Line(number, clock.now(), text))
        self.change(lasting=False, lines=number)


class Jobs:
    """All jobs, those from before a restart of the agent too."""

    def __init__(self, store: JobStore) -> None:
        # A job; whether more changed of it than progress and lines.
        self.changed: Signal[[Job, bool]] = Signal()
        self._store = store
        self._ended: dict[int, Job] = {}
        self._runs: dict[int, _Run] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._work = TaskSet()
        self._ends = TaskSet()  # writes of jobs' ends, which are not cancelled
        self._writes = TaskSet()
        self._closing = False

    async def load(self) -> None:
        """Read the jobs; those that an earlier agent did not end are marked CUT. Raises sqlite3.Error."""
        for job in await self._store.all():
            self._ended[job.id] = job
            if not job.state.ended:
                self._ended[job.id] = _ended(job, State.CUT)
                await self._store.save(self._ended[job.id], (), KEPT_LINES)
        self._writes.repeat(WRITE_S, self._write_all, "jobs")

    async def close(self) -> None:
        """End all work; what runs or waits is CUT."""
        self._closing = True
        await self._work.close(CLOSE_S)
        await self._ends.finish()
        await self._writes.close()

    def all(self) -> list[Job]:
        """Every job, the newest first."""
        running = {id_: run.job for id_, run in self._runs.items()}
        return [job for _, job in sorted((self._ended | running).items(), reverse=True)]

    def get(self, job: int) -> Job:
        """A job. Raises Problem 404."""
        found = self._runs[job].job if job in self._runs else self._ended.get(job)
        if found is None:
            raise not_found(f"job {job}", "homeport jobs lists them")
        return found

    async def start(self, kind: str, title: str, subject: str, work: Work, *, exclusive: bool = False) -> Job:
        """Begin a job. `work` raises HomeportError to fail with words; to cancel it is to cancel its task.

        `exclusive`: refused with Problem 409 while another job of this kind and subject has not ended. Raises
        Problem 429 with MAX_WAITING jobs, sqlite3.Error.
        """
        if exclusive:
            self._refuse_second(kind, subject)
        if len(self._runs) >= MAX_WAITING or self._closing:
            raise Problem(429, f"{len(self._runs)} jobs wait already", "cancel one, or wait: homeport jobs")
        job = await self._store.add(kind, _shown(title), _shown(subject), clock.now())
        if exclusive:  # another may have come while this one was written
            try:
                self._refuse_second(kind, subject)
            except Problem:
                await self._store.delete([job.id])
                raise
        run = _Run(job, self._show)
        self._runs[job.id] = run
        self._show(run, True)
        run.task = self._work.spawn(self._run(run, work), f"job {job.id}: {kind}")
        await asyncio.sleep(0)  # a task that is cancelled before its first step would never note its end
        return run.job

    async def cancel(self, job: int) -> Job:
        """Ask a job to end; returns at once. Raises Problem 404, and 409 for one that has ended."""
        found = self.get(job)
        run = self._runs.get(job)
        if run is None or run.task is None:
            raise Problem(409, f"job {job} has ended already: {found.state.value}", "there is nothing to do")
        run.cancelled = True
        run.task.cancel()
        return run.job

    async def ended(self, job: int) -> Job:
        """Wait until a job has ended. Raises Problem 404."""
        run = self._runs.get(job)
        if run is not None and run.task is not None:
            await asyncio.wait({run.task})
        return self.get(job)

    async def log(self, job: int, since: int = 0) -> list[Line]:
        """The kept lines after number `since`, at most KEPT_LINES. Raises Problem 404, sqlite3.Error."""
        self.get(job)
        run = self._runs.get(job)
        if run is not None:
            return [line for line in run.lines if line.number > since]
        return await self._store.lines(job, since, KEPT_LINES)

    def _refuse_second(self, kind: str, subject: str) -> None:
        for run in self._runs.values():
            if (run.job.kind, run.job.subject) == (kind, subject) and not run.job.state.ended:
                raise Problem(
                    409,
                    f"{run.job.title} is under way already, as job {run.job.id}",
                    f"wait for it, or cancel it: homeport jobs {run.job.id} --cancel",
                )

    async def _run(self, run: _Run, work: Work) -> None:
        state, error = State.DONE, None
        try:
            async with self._slots:
                run.change(state=State.RUNNING, started_at=clock.now())
                await work(JobHandle(run))
        except asyncio.CancelledError:
            state = State.CANCELLED if run.cancelled else State.CUT
        except HomeportError as failure:
            state, error = State.FAILED, JobError(failure.detail, failure.fix)
        except Exception as failure:
            _log.exception("job %d (%s) failed", run.job.id, run.job.kind)
            detail = f"{type(failure).__name__}: {failure}"[:MAX_TEXT]
            state, error = State.FAILED, JobError(detail, "the agent's log has more: homeport doctor")
        if error is not None:
            run.add_line(_shown(f"error: {error.detail}"))
        run.change(**_end(state, error))
        writing = self._ends.spawn(self._finish(run), f"end of job {run.job.id}")
        await asyncio.wait({writing})

    async def _finish(self, run: _Run) -> None:
        try:
            await self._write(run)
            old = sorted(self._ended)[: max(0, len(self._ended) + 1 - KEPT)]
            if old:
                await self._store.delete(old)
                for id_ in old:
                    del self._ended[id_]
        except sqlite3.Error as error:  # on a full disk: until a restart it is shown as ended all the same
            _log.warning("the end of job %d could not be written: %s", run.job.id, error)
        self._ended[run.job.id] = run.job
        del self._runs[run.job.id]

    async def _write_all(self) -> None:
        for run in list(self._runs.values()):
            if run.unwritten and not run.job.state.ended:
                await self._write(run)

    async def _write(self, run: _Run) -> None:
        run.unwritten = False
        lines = [line for line in run.lines if line.number > run.written]
        try:
            await self._store.save(run.job, lines, KEPT_LINES)
        except BaseException:
            run.unwritten = True
            raise
        run.written = max([run.written, *(line.number for line in lines)])

    def _show(self, run: _Run, lasting: bool) -> None:
        """Tell a change: a lasting one at once, others at most every SHOW_S."""
        loop = asyncio.get_running_loop()
        due = run.shown_at + SHOW_S
        if lasting or due <= loop.time():
            if run.show_later is not None:
                run.show_later.cancel()
                run.show_later = None
            run.shown_at = loop.time()
            self.changed.emit(run.job, lasting)
        elif run.show_later is None:
            run.show_later = loop.call_at(due, self._show_late, run)

    def _show_late(self, run: _Run) -> None:
        run.show_later = None
        run.shown_at = asyncio.get_running_loop().time()
        self.changed.emit(run.job, False)


def _ended(job: Job, state: State) -> Job:
    return replace(job, **_end(state, None))


def _end(state: State, error: JobError | None) -> dict[str, Any]:
    return {"state": state, "error": error, "ended_at": clock.now()}


def _shown(text: str) -> str:
    """The text in one line, without control characters, at most MAX_TEXT long: it may be a program's output."""
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else " " if letter.isspace() else "" for letter in text)
    return text[:MAX_TEXT]
