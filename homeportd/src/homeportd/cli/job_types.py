"""Shapes of API answers about jobs, as `api_types`."""

from __future__ import annotations

from typing import Literal, TypedDict


class Progress(TypedDict):
    """Progress of a job's step; `total` None: unknown."""

    done: int
    total: int | None
    unit: str


class JobError(TypedDict):
    """The reason why a job failed, and the next step."""

    detail: str
    fix: str


class Job(TypedDict):
    """Background work. `lines` is the number of the newest line of its log."""

    id: int
    kind: str
    title: str
    subject: str
    state: Literal["queued", "running", "done", "failed", "cancelled", "cut"]
    step: str
    progress: Progress | None
    notes: list[str]
    lines: int
    error: JobError | None
    created_at: str
    started_at: str | None
    ended_at: str | None


class JobLine(TypedDict):
    """A line of a job's log."""

    number: int
    time: str
    text: str
