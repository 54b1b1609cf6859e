"""The commands that list ports: by repo, or as a table."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from homeportd.cli.api_types import Port, Repo
from homeportd.cli.clients.agent_client import Agent, connect
from homeportd.cli.errors import NOT_FOUND, Failure
from homeportd.cli.output import phrases, tables
from homeportd.cli.output.terminal import screen, write, write_json
from homeportd.cli.registry import Commands

commands = Commands(position=10, plain=True)


@commands.command("list", "homeport list", "homeport list --json | jq '.ports[].url'")
def list_by_repo(json: bool) -> None:
    """List repos with their ports: what runs, who may open it."""
    with _workstation() as agent:
        repos: list[Repo] = agent.get("/repos")
        ports: list[Port] = agent.get("/ports")
    if json:
        write_json({"repos": repos, "ports": ports})
    else:
        write(tables.by_repo(repos, ports, screen(), phrases.local_now(), as_root=os.geteuid() == 0))


@commands.command("ports", "homeport ports", "homeport ports --json | jq '.[].port'")
def list_ports(json: bool) -> None:
    """List ports as a table, one a line."""
    with _workstation() as agent:
        found: list[Port] = agent.get("/ports")
    if json:
        write_json(found)
    else:
        write(tables.port_table(found, screen(), phrases.local_now()))


@contextmanager
def _workstation() -> Iterator[Agent]:
    """The agent, whose 404 means that this machine is no workstation. Raises Failure."""
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
