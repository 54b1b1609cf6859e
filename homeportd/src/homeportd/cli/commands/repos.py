"""The commands for repos: clone, list, pull, fetch, remove."""

from __future__ import annotations

import os
import re
from typing import Annotated, Any

import typer

from homeportd.cli.api_types import Job
from homeportd.cli.clients.agent_client import Agent, connect
from homeportd.cli.clients.jobs import follow, outcome
from homeportd.cli.errors import Failure
from homeportd.cli.options.arguments import Json
from homeportd.cli.output.jobs import ProgressLine
from homeportd.cli.output.terminal import clean, screen, write, write_json
from homeportd.cli.registry import Commands

commands = Commands(position=24)

Address = Annotated[
    str,
    typer.Argument(metavar="ADDRESS", help="https://…, git@host:path, OWNER/NAME at GitHub, or ./folder."),
]
Branch = Annotated[str | None, typer.Option("--branch", "-b", metavar="NAME", help="Check out this branch.")]
Into = Annotated[
    str | None, typer.Option("--into", metavar="NAME", help="Another name than the address's own.")
]
Submodules = Annotated[bool, typer.Option("--submodules", help="Fetch its submodules, too.")]
Detach = Annotated[bool, typer.Option("--detach", help="Do not wait: homeport jobs shows how far it is.")]


@commands.command(
    "clone",
    "homeport clone ada/shop",
    "homeport clone git@git.example.com:ada/shop.git --branch next",
    "homeport clone https://git.example.com/ada/shop --into shop-2",
)
def clone(
    address: Address,
    branch: Branch = None,
    into: Into = None,
    *,
    submodules: Submodules = False,
    detach: Detach = False,
    json: Json = False,
) -> None:
    """Clone a repository into the folder of repos. Ctrl-C cancels, and leaves nothing of it."""
    body = {"address": _absolute(address), "branch": branch, "into": into, "submodules": submodules}
    with connect() as agent:
        job: Job = agent.post("/repos", body)
        last = finish(agent, job, detach=detach, json=json)
        if not (json or detach):
            write([*map(clean, last["notes"]), clean(_path(agent, last["subject"]))])


def finish(agent: Agent, job: Job, *, detach: bool, json: bool) -> Job:
    """Follow a job to its end, with its progress; raises Failure unless it is done. `detach`: only name it."""
    if detach:
        write_json(job) if json else write([f"Job {job['id']}: homeport jobs {job['id']} --watch"])
        return job
    line = ProgressLine(screen(), quiet=json)
    try:
        last = follow(agent, job, line.show, cancels=True)
    finally:
        line.close()
    if json:
        write_json(last)
    outcome(last)
    return last


def _absolute(address: str) -> str:
    """A folder of this machine as the agent, which runs elsewhere, knows it; any other address as it is."""
    if re.match(r"\.{1,2}(/|$)|~(/|$)", address):
        return os.path.abspath(os.path.expanduser(address))  # noqa: PTH100, PTH111 - links stay as they are
    return address


def _path(agent: Agent, subject: str) -> str:
    repos: list[Any] = agent.get("/repos")
    found = next((repo for repo in repos if repo["id"] == subject), None)
    if found is None:
        raise Failure(f"the repo {subject} is not there any more", "homeport repos")
    return str(found["path"])
