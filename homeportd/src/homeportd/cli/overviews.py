"""What there is: repos, ports, the agent. Without Typer, so that the commands of every minute start at once.

`json` prints the objects of the API instead of a page for people.
"""

from __future__ import annotations

from homeportd.cli import views, words
from homeportd.cli.client import connect
from homeportd.cli.objects import Port, Repo, Status
from homeportd.cli.terminal import screen, write, write_json


def by_repo(json: bool) -> None:
    """List repos with their ports: what runs, who may open it."""
    with connect() as agent:
        repos: list[Repo] = agent.get("/repos")
        ports: list[Port] = agent.get("/ports")
    if json:
        write_json({"repos": repos, "ports": ports})
    else:
        write(views.by_repo(repos, ports, screen(), words.local_now()))


def ports(json: bool) -> None:
    """List ports as a table, one a line."""
    with connect() as agent:
        found: list[Port] = agent.get("/ports")
    if json:
        write_json(found)
    else:
        write(views.port_table(found, screen(), words.local_now()))


def status(json: bool) -> None:
    """Show the agent and its machine at a glance."""
    with connect() as agent:
        found: Status = agent.get("/status")
    if json:
        write_json(found)
    else:
        write(views.overview(found, screen()))


COMMANDS = {"list": by_repo, "ports": ports, "status": status}
