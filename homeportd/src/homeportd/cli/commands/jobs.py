"""The command for background work of the agent."""

from __future__ import annotations

import json as json_module
import time
from typing import Annotated

import typer

from homeportd.cli import completion
from homeportd.cli.clients.agent_client import Agent, connect
from homeportd.cli.clients.jobs import ENDED, POLL_S, outcome
from homeportd.cli.errors import USAGE, Failure
from homeportd.cli.job_types import Job, JobLine
from homeportd.cli.options.arguments import Json
from homeportd.cli.output import jobs as output
from homeportd.cli.output import phrases
from homeportd.cli.output.terminal import clean, screen, write, write_json
from homeportd.cli.registry import Commands

commands = Commands(position=28)

SHOWN = 20  # jobs of the list

Watch = Annotated[bool, typer.Option("--watch", "-w", help="Go on until the work has ended.")]
Cancel = Annotated[bool, typer.Option("--cancel", help="End the job and clean up after it.")]
JobArgument = Annotated[
    int | None,
    typer.Argument(min=1, metavar="JOB", help="The number of a job.", autocompletion=completion.jobs),
]


@commands.command(
    "jobs", "homeport jobs", "homeport jobs --watch", "homeport jobs 12 --watch", "homeport jobs 12 --cancel"
)
def jobs(
    job: JobArgument = None, *, watch: Watch = False, cancel: Cancel = False, json: Json = False
) -> None:
    """Show background work, such as clones: how far it is, and how it ended.

    With a number, one job with its log; the exit code then says how it ended.
    """
    if cancel and job is None:
        raise Failure("--cancel ends one job", "name it: homeport jobs 12 --cancel", USAGE)
    with connect() as agent:
        if job is None:
            _list(agent, watch, json)
            return
        if cancel:
            asked: Job = agent.post(f"/jobs/{job}/cancel")
            while asked["state"] not in ENDED and not watch:
                time.sleep(POLL_S)
                asked = agent.get(f"/jobs/{job}")
            if not watch:
                write_json(asked) if json else write([f"{clean(asked['title'])}: {asked['state']}"])
                return
        _show(agent, job, watch, json)


def _list(agent: Agent, watch: bool, json: bool) -> None:
    """The newest jobs; watching, a line for each change until no job is left."""
    found: list[Job] = agent.get("/jobs")
    if json and not watch:
        write_json(found)
    elif not watch:
        text = output.table(found[:SHOWN], screen(), phrases.local_now())
        write(text if found else ["No jobs yet. Begin one:", "  homeport clone owner/name"])
    else:
        _watch(agent, found, json)


def _watch(agent: Agent, found: list[Job], json: bool) -> None:
    told: dict[int, tuple[str, str]] = {
        job["id"]: (job["state"], job["step"]) for job in found if job["state"] in ENDED
    }
    while True:
        for job in reversed(found):
            now = (job["state"], job["step"])
            if told.get(job["id"]) != now:
                told[job["id"]] = now
                text = f"{job['id']}  {job['title']}: {job['state']}  {output.progress(job)}"
                write([json_module.dumps(job) if json else clean(text)])
        if all(job["state"] in ENDED for job in found):
            return
        time.sleep(POLL_S)
        found = agent.get("/jobs")


def _show(agent: Agent, number: int, watch: bool, json: bool) -> None:
    """One job with its log; watching, until it has ended."""
    last = 0
    while True:
        job: Job = agent.get(f"/jobs/{number}")
        lines: list[JobLine] = agent.get(f"/jobs/{number}/log?since={last}")
        if json and not watch:
            write_json({**job, "log": lines})
        elif json:
            write(json_module.dumps(line) for line in lines)
        elif lines:
            write(clean(line["text"]) for line in lines)
        last = lines[-1]["number"] if lines else last
        if job["state"] in ENDED or not watch:
            break
        time.sleep(POLL_S)
    if not json:
        write(output.page(job, screen()))
    elif watch:
        write([json_module.dumps(job)])
    if watch:
        outcome(job)
