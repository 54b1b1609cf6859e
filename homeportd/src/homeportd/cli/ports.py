"""Commands that show: repos, ports, addresses, the agent."""

from __future__ import annotations

import sys

from homeportd.cli import views, words
from homeportd.cli.arguments import Json, PortArgument
from homeportd.cli.client import Agent, connect
from homeportd.cli.errors import NOT_FOUND, Failure
from homeportd.cli.objects import Port, Repo, Share, Status
from homeportd.cli.terminal import screen, write, write_json


def list_(json: Json = False) -> None:
    """List repos with their ports: what runs, who may open it."""
    with connect() as agent:
        repos: list[Repo] = agent.get("/repos")
        ports: list[Port] = agent.get("/ports")
    if json:
        write_json({"repos": repos, "ports": ports})
    else:
        write(views.by_repo(repos, ports, screen(), words.local_now()))


def ports(json: Json = False) -> None:
    """List ports as a table, one a line."""
    with connect() as agent:
        found: list[Port] = agent.get("/ports")
    if json:
        write_json(found)
    else:
        write(views.port_table(found, screen(), words.local_now()))


def url(port: PortArgument, json: Json = False) -> None:
    """Print the address of a port."""
    with connect() as agent:
        share: Share = agent.get(f"/ports/{port}/share")
        found = find(agent, port)
    if not (found and found["listening"]):
        sys.stderr.write(f"note: nothing listens on port {port} now\n")
    if json:
        write_json({"port": port, "url": share["url"]})
    else:
        write([share["url"]])


def status(json: Json = False) -> None:
    """Show the agent and its machine at a glance."""
    with connect() as agent:
        found: Status = agent.get("/status")
    if json:
        write_json(found)
    else:
        write(views.overview(found, screen()))


def find(agent: Agent, port: int) -> Port | None:
    """A port that listens or is shared, else None."""
    try:
        found: Port = agent.get(f"/ports/{port}")
    except Failure as failure:
        if failure.code == NOT_FOUND:
            return None
        raise
    return found
