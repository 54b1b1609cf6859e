"""Servers by name: `shop`, `shop/web`, or `.` for the repo around the current folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final
from urllib.parse import quote

import typer

from homeportd.cli import completion
from homeportd.cli.api_types import Repo
from homeportd.cli.clients.agent_client import Agent
from homeportd.cli.errors import NOT_FOUND, Failure
from homeportd.cli.server_types import RepoServers, Server

RUNNING: Final = ("listening", "starting", "stopping")

ServerArgument = Annotated[
    str,
    typer.Argument(
        metavar="[REPO[/SERVER]]",
        help="A repo's main server, or the one named; without it, of the repo around the current folder.",
        autocompletion=completion.servers,
    ),
]


def parse(agent: Agent, text: str) -> tuple[str, str | None]:
    """(Repo id, server's name) of `shop/web`, `shop`, `.`, `./web`. Raises Failure where there is no such repo."""
    name, _, server = text.strip().partition("/")
    repos: list[Repo] = agent.get("/repos")
    if name in ("", "."):
        folder = Path.cwd()
        around = [repo for repo in repos if folder.is_relative_to(repo["path"])]
        if not around:
            raise Failure(f"{folder} is in no repo", "name one: homeport list", NOT_FOUND)
        return max(around, key=lambda repo: len(repo["path"]))["id"], server or None
    if all(repo["id"] != name for repo in repos):
        raise Failure(f"the repo {name!r} does not exist", "homeport list shows what there is", NOT_FOUND)
    return name, server or None


def servers_of(agent: Agent, repo: str) -> RepoServers:
    """The servers of a repo."""
    found: RepoServers = agent.get(f"/repos/{quote(repo, safe='')}/servers")
    return found


def find(agent: Agent, text: str) -> Server:
    """A server by name; of a repo alone, the first that runs, else its main one. Raises Failure."""
    repo, name = parse(agent, text)
    found = [each for each in servers_of(agent, repo)["servers"] if not each["by_hand"]]
    if name is not None:
        found = [each for each in found if each["name"] == name]
    if not found:
        what = f"the server {name} of {repo}" if name else f"a server of {repo}"
        raise Failure(f"{what} does not exist", "homeport servers lists them", NOT_FOUND)
    return next((each for each in found if each["state"] in RUNNING), found[0])
