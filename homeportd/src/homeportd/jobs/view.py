"""A job as the API shows it."""

from collections.abc import Iterable
from typing import Final

from pydantic import BaseModel

from homeportd import clock
from homeportd.jobs.model import Job, Line, State


class ProgressView(BaseModel):
    """Progress of a step; `total` null: unknown. `unit` is `%`, `bytes` or a noun."""

    done: int
    total: int | None
    unit: str


class JobErrorView(BaseModel):
    """The reason why a job failed, and the next step."""

    detail: str
    fix: str


class JobView(BaseModel):
    """Background work. `subject` is the id of what it is about: for a clone, the repo's once it is known.

    `lines` is the number of the newest line of its log. `cut`: the agent ended before the job did.
    """

    id: int
    kind: str
    title: str
    subject: str
    state: State
    step: str
    progress: ProgressView | None
    notes: list[str]
    lines: int
    error: JobErrorView | None
    created_at: str
    started_at: str | None
    ended_at: str | None


class JobLineView(BaseModel):
    """A line of a job's log."""

    number: int
    time: str
    text: str


EVENTS: Final[dict[str, type[BaseModel]]] = {"job": JobView}


def job_view(job: Job) -> JobView:
    """One job."""
    progress, error = job.progress, job.error
    return JobView(
        id=job.id,
        kind=job.kind,
        title=job.title,
        subject=job.subject,
        state=job.state,
        step=job.step,
        progress=ProgressView(done=progress.done, total=progress.total, unit=progress.unit)
        if progress
        else None,
        notes=list(job.notes),
        lines=job.lines,
        error=JobErrorView(detail=error.detail, fix=error.fix) if error else None,
        created_at=clock.to_text(job.created_at),
        started_at=clock.to_text(job.started_at),
        ended_at=clock.to_text(job.ended_at),
    )


def line_views(lines: Iterable[Line]) -> list[JobLineView]:
    """Lines of a log."""
    return [JobLineView(number=line.number, time=clock.to_text(line.time), text=line.text) for line in lines]
