"""The tables of jobs and of the lines of their logs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from homeportd.clock import from_text, to_text
from homeportd.database import Database
from homeportd.jobs.model import Job, JobError, Line, Progress, State

_COLUMNS = (
    "id, kind, title, subject, state, created_at, step, progress, notes, lines, error_detail, error_fix,"
    " started_at, ended_at"
)


class JobStore:
    """Reads all jobs at start, then writes each change; the service keeps them in memory, without their lines."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[Job]:
        """Every job, oldest first."""
        return [_job(*row) for row in await self._database.all(f"SELECT {_COLUMNS} FROM jobs ORDER BY id")]  # noqa: S608

    async def add(self, kind: str, title: str, subject: str, created_at: datetime) -> Job:
        """Insert a queued job, which gets an id that no job had before."""
        async with self._database.transaction() as connection:
            cursor = await connection.execute(
                "INSERT INTO jobs (kind, title, subject, state, created_at) VALUES (?,?,?,?,?)",
                (kind, title, subject, State.QUEUED.value, to_text(created_at)),
            )
            assert cursor.lastrowid is not None  # noqa: S101 - of an INSERT
        return Job(cursor.lastrowid, kind, title, subject, State.QUEUED, created_at)

    async def save(self, job: Job, lines: Sequence[Line], kept: int) -> None:
        """Write what changed of a job, and its new lines, of which the newest `kept` stay."""
        progress = job.progress and json.dumps([job.progress.done, job.progress.total, job.progress.unit])
        async with self._database.transaction() as connection:
            await connection.execute(
                "UPDATE jobs SET subject = ?, state = ?, step = ?, progress = ?, notes = ?, lines = ?,"
                " error_detail = ?, error_fix = ?, started_at = ?, ended_at = ? WHERE id = ?",
                (
                    job.subject,
                    job.state.value,
                    job.step,
                    progress,
                    json.dumps(job.notes),
                    job.lines,
                    job.error and job.error.detail,
                    job.error and job.error.fix,
                    to_text(job.started_at),
                    to_text(job.ended_at),
                    job.id,
                ),
            )
            if lines:
                await connection.executemany(
                    "INSERT INTO job_lines (job, number, time, text) VALUES (?,?,?,?)",
                    [(job.id, line.number, to_text(line.time), line.text) for line in lines],
                )
                await connection.execute(
                    "DELETE FROM job_lines WHERE job = ? AND number <= ?", (job.id, job.lines - kept)
                )

    async def lines(self, job: int, since: int, limit: int) -> list[Line]:
        """The lines of a job after number `since`, the oldest first."""
        rows = await self._database.all(
            "SELECT number, time, text FROM job_lines WHERE job = ? AND number > ? ORDER BY number LIMIT ?",
            job,
            since,
            limit,
        )
        return [Line(int(str(number)), from_text(str(time)), str(text)) for number, time, text in rows]

    async def delete(self, jobs: Sequence[int]) -> None:
        """Remove jobs with their lines."""
        async with self._database.transaction() as connection:
            await connection.executemany("DELETE FROM jobs WHERE id = ?", [(job,) for job in jobs])


def _job(*row: object) -> Job:
    id_, kind, title, subject, state, created, step, progress, notes, lines, detail, fix, started, ended = row
    return Job(
        id=int(str(id_)),
        kind=str(kind),
        title=str(title),
        subject=str(subject),
        state=State(str(state)),
        created_at=from_text(str(created)),
        step=str(step),
        progress=None if progress is None else Progress(*json.loads(str(progress))),
        notes=tuple(json.loads(str(notes))),
        lines=int(str(lines)),
        error=None if detail is None else JobError(str(detail), str(fix)),
        started_at=None if started is None else from_text(str(started)),
        ended_at=None if ended is None else from_text(str(ended)),
    )
