"""A job: background work of the agent, as it is kept and shown. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    """State of a job; it begins QUEUED, and the last four are its ends."""

    QUEUED = "queued"  # waits until fewer jobs run
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"  # by a person
    CUT = "cut"  # by the end of the agent

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self not in (State.QUEUED, State.RUNNING)


@dataclass(frozen=True)
class Progress:
    """Progress of one step: `done` of `total` (None: unknown) in `unit`: `%`, `bytes`, `packages`."""

    done: int
    total: int | None
    unit: str


@dataclass(frozen=True)
class JobError:
    """The reason why a job failed, and the next step."""

    detail: str
    fix: str


@dataclass(frozen=True)
class Job:
    """A job. `kind` is a word of the room that started it, `subject` the id of what it is about.

    `step` names what it does now, or did last. `notes` are what a person should know of its result. `lines` is the
    number of the newest line of its log, which begins with 1.
    """

    id: int
    kind: str
    title: str
    subject: str
    state: State
    created_at: datetime
    step: str = ""
    progress: Progress | None = None
    notes: tuple[str, ...] = ()
    lines: int = 0
    error: JobError | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True)
class Line:
    """A line of a job's log."""

    number: int
    time: datetime
    text: str
