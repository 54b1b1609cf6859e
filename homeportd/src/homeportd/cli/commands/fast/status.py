"""The command that shows the agent and its machine."""

from __future__ import annotations

from homeportd.cli.api_types import Status
from homeportd.cli.clients.agent_client import connect
from homeportd.cli.output import tables
from homeportd.cli.output.terminal import screen, write, write_json
from homeportd.cli.registry import Commands

commands = Commands(position=30, plain=True)


@commands.command("status", "homeport status", "homeport status --json | jq .system")
def status(json: bool) -> None:
    """Show the agent and its machine at a glance."""
    with connect() as agent:
        found: Status = agent.get("/status")
    if json:
        write_json(found)
    else:
        write(tables.overview(found, screen()))
