"""Jobs as lines of text, and the progress of one on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from homeportd.cli.job_types import Job
from homeportd.cli.output import phrases
from homeportd.cli.output.terminal import Cell, Column, Screen, Style, clean, clip, lay_out

_COLUMNS: Final = (
    Column("JOB", 9, right=True),
    Column("WHAT", 8, least=16),
    Column("STATE", 9),
    Column("PROGRESS", 7, least=10),
    Column("BEGUN", 4),
    Column("TOOK", 3),
)
_STYLES: Final = {
    "queued": Style.GREY,
    "running": Style.AMBER,
    "done": Style.GREEN,
    "failed": Style.RED,
    "cancelled": Style.GREY,
    "cut": Style.RED,
}


def progress(job: Job) -> str:
    """How far a job is: `receiving objects 42 %`; of one that failed, the reason."""
    if job["error"]:
        return job["error"]["detail"]
    found = job["progress"]
    if job["state"] != "running" or found is None:
        return job["step"] if job["state"] == "running" else ""
    unit, total = found["unit"], found["total"]
    if unit == "bytes":
        amount = phrases.size(found["done"]) + (f" of {phrases.size(total)}" if total is not None else "")
    elif total and unit in ("", "%"):
        amount = f"{100 * found['done'] // total} %"
    else:
        amount = f"{found['done']}{f' of {total}' if total is not None else ''} {unit}".rstrip()
    return f"{job['step']} {amount}".strip()


def table(jobs: Sequence[Job], screen: Screen, now: datetime) -> list[str]:
    """Jobs, one a line."""
    rows = [
        (
            Cell(str(job["id"])),
            Cell(job["title"]),
            Cell(job["state"], _STYLES[job["state"]]),
            Cell(progress(job)),
            Cell(phrases.past(job["created_at"], now)),
            Cell(_took(job)),
        )
        for job in jobs
    ]
    return lay_out(_COLUMNS, rows, screen)


def page(job: Job, screen: Screen) -> list[str]:
    """One job, without its log."""
    state = screen.paint(job["state"], _STYLES[job["state"]])
    lines = [f"{screen.paint(clean(job['title']), Style.BOLD)}: {state}"]
    if job["error"]:
        lines += [clean(job["error"]["detail"]), f"fix: {clean(job['error']['fix'])}"]
    elif how := progress(job):
        lines.append(clean(how))
    return lines + [clean(note) for note in job["notes"]]


def _took(job: Job) -> str:
    if not (job["started_at"] and job["ended_at"]):
        return ""
    span = datetime.fromisoformat(job["ended_at"]) - datetime.fromisoformat(job["started_at"])
    return phrases.duration(span.total_seconds())


class ProgressLine:
    """The progress of a job on standard error: a line that renews itself; a line a step where that is no terminal."""

    def __init__(self, screen: Screen, quiet: bool = False) -> None:
        """`quiet`: shows nothing."""
        self._screen = screen
        self._quiet = quiet
        self._renews = sys.stderr.isatty()
        self._step = ""
        self._dirty = False

    def show(self, job: Job) -> None:
        """Show how far it is."""
        if self._quiet:
            return
        if self._renews:
            text = clean(progress(job) or job["state"])
            sys.stderr.write("\r\x1b[K" + clip(text, (self._screen.width or 80) - 1))
            self._dirty = True
        elif job["step"] != self._step:
            self._step = job["step"]
            sys.stderr.write(f"{clean(self._step)}\n")
        sys.stderr.flush()

    def close(self) -> None:
        """Remove the line from the terminal."""
        if self._dirty:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._dirty = False
