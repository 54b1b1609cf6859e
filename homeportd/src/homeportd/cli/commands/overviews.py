"""What there is: repos, ports, the agent. Without Typer, so that the commands of every minute start at once.

`json` prints the objects of the API instead of a page for people.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from homeportd.cli.api_types import Port, Repo, Status
from homeportd.cli.clients.agent_client import Agent, connect
from homeportd.cli.errors import NOT_FOUND, Failure
from homeportd.cli.output import phrases, tables
from homeportd.cli.output.terminal import screen, write, write_json


def by_repo(json: bool) -> None:
    """List repos with their ports: what runs, who may open it."""
    with _workstation() as agent:
        repos: list[Repo] = agent.get("/repos")
        ports: list[Port] = agent.get("/ports")
    if json:
        write_json({"repos": repos, "ports": ports})
    else:
        write(tables.by_repo(repos, ports, screen(), phrases.local_now(), as_root=os.geteuid() == 0))


def ports(json: bool) -> None:
    """List ports as a table, one a line."""
    with _workstation() as agent:
        found: list[Port] = agent.get("/ports")
    if json:
        write_json(found)
    else:
        write(tables.port_table(found, screen(), phrases.local_now()))


@contextmanager
def _workstation() -> Iterator[Agent]:
    try:
        with connect() as agent:
            yield agent
    except Failure as failure:
        if failure.status != 404:
            raise
        raise Failure(
            "this machine is an edge alone, where no dev servers are looked for",
            "homeport tunnels list",
            NOT_FOUND,
        ) from failure


def status(json: bool) -> None:
    """Show the agent and its machine at a glance."""
    with connect() as agent:
        found: Status = agent.get("/status")
    if json:
        write_json(found)
    else:
        write(tables.overview(found, screen()))


COMMANDS = {"list": by_repo, "ports": ports, "status": status}
