"""The commands for repos: clone, list, pull, fetch, remove."""

from __future__ import annotations

import os
import re
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from homeportd.cli import completion
from homeportd.cli.api_types import Repo
from homeportd.cli.clients.agent_client import Agent, connect
from homeportd.cli.clients.jobs import follow, outcome
from homeportd.cli.errors import Failure
from homeportd.cli.job_types import Job
from homeportd.cli.options.arguments import Json
from homeportd.cli.output.jobs import ProgressLine
from homeportd.cli.output.terminal import Cell, Column, Style, clean, lay_out, screen, write, write_json
from homeportd.cli.registry import Commands

commands = Commands(position=24)

Address = Annotated[
    str,
    typer.Argument(
        metavar="ADDRESS",
        help="https://…, git@host:path, OWNER/NAME at GitHub, or ./folder.",
        autocompletion=completion.hosted,
    ),
]
Branch = Annotated[str | None, typer.Option("--branch", "-b", metavar="NAME", help="Check out this branch.")]
Into = Annotated[
    str | None, typer.Option("--into", metavar="NAME", help="Another name than the address's own.")
]
Submodules = Annotated[bool, typer.Option("--submodules", help="Fetch its submodules, too.")]
Detach = Annotated[bool, typer.Option("--detach", help="Do not wait: homeport jobs shows how far it is.")]

RepoArgument = Annotated[
    str,
    typer.Argument(
        metavar="REPO", help="A repo, by its name in homeport repos.", autocompletion=completion.repos
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Remove it with all work that is nowhere else.")]

SLOW_S: Final = 60.0  # seconds: git is asked about every branch before a repo is removed
_COLUMNS: Final = (
    Column("REPO", 9),
    Column("BRANCH", 8, least=10),
    Column("STATE", 7),
    Column("PORTS", 6),
    Column("REMOTE", 3, least=20),
    Column("PATH", 4),
)


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


@commands.command("repos", "homeport repos", "homeport repos --json | jq '.[].path'")
def list_repos(json: Json = False) -> None:
    """List the repos with their branches."""
    with connect() as agent:
        found: list[Repo] = agent.get("/repos")
    if json:
        write_json(found)
    elif not found:
        write(["No repos yet. Clone one:", "  homeport clone owner/name"])
    else:
        write(lay_out(_COLUMNS, [_row(repo) for repo in found], screen()))


@commands.command("pull", "homeport pull shop")
def pull(repo: RepoArgument, detach: Detach = False, json: Json = False) -> None:
    """Bring a repo's branch up to date: a fast-forward, or you are told what differs."""
    _update(f"/repos/{_quoted(repo)}/pull", detach, json)


@commands.command("fetch", "homeport fetch shop")
def fetch(repo: RepoArgument, detach: Detach = False, json: Json = False) -> None:
    """Fetch what is new at a repo's remote; its own branches stay as they are."""
    _update(f"/repos/{_quoted(repo)}/fetch", detach, json)


@commands.command("remove", "homeport remove shop", "homeport remove shop --force")
def remove(repo: RepoArgument, *, force: Force = False, detach: Detach = False, json: Json = False) -> None:
    """Remove a repo's folder.

    Refused while something runs there, and while it has changes, commits, stashes or worktrees that are nowhere else.
    """
    with connect(SLOW_S) as agent:
        job: Job = agent.delete(f"/repos/{_quoted(repo)}?force={'true' if force else 'false'}")
        last = finish(agent, job, detach=detach, json=json)
        if not (json or detach):
            write([*map(clean, last["notes"]), f"{clean(repo)} is removed."])


def _update(path: str, detach: bool, json: bool) -> None:
    with connect() as agent:
        job: Job = agent.post(path)
        last = finish(agent, job, detach=detach, json=json)
        if not (json or detach):
            write(map(clean, last["notes"]))


def _row(repo: Repo) -> list[Cell]:
    state = {True: "changed", False: "clean", None: ""}[repo["dirty"]]
    return [
        Cell(repo["id"]),
        Cell(repo["branch"] or ""),
        Cell(state, Style.AMBER if repo["dirty"] else Style.GREY),
        Cell(", ".join(map(str, repo["ports"]))),
        Cell(repo["remote"] or ""),
        Cell(repo["path"]),
    ]


def _quoted(repo: str) -> str:
    return quote(repo, safe="")
