"""The commands for dev servers: start, stop, restart, list."""

from __future__ import annotations

import sys
import time
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from homeportd.cli.clients.agent_client import Agent, connect
from homeportd.cli.clients.jobs import follow, outcome
from homeportd.cli.errors import REFUSED, Failure
from homeportd.cli.options import servers as options
from homeportd.cli.options.arguments import Json
from homeportd.cli.output.jobs import ProgressLine
from homeportd.cli.output.terminal import Cell, Column, Style, clean, lay_out, screen, write, write_json
from homeportd.cli.registry import Commands
from homeportd.cli.server_types import Server, Started

commands = Commands(position=15)

POLL_S: Final = 0.1  # between two looks at a server that starts
WAIT_S: Final = 120.0  # for a server to listen
STOP_S: Final = 60.0  # for a stop, whose answer comes at its end

_COLUMNS: Final = (
    Column("SERVER", 9, must=True),
    Column("STATE", 8),
    Column("PORT", 7, right=True),
    Column("COMMAND", 5, least=12),
    Column("ADDRESS", 6),
)
_STYLES: Final = {
    "listening": Style.GREEN,
    "starting": Style.AMBER,
    "stopping": Style.AMBER,
    "failed": Style.RED,
    "stopped": Style.GREY,
    "idle-stopped": Style.GREY,
}

StartCommand = Annotated[
    str | None,
    typer.Option(
        "--command", metavar="COMMAND", help="Run this instead of the detected command, from now on."
    ),
]
StartPort = Annotated[
    int | None,
    typer.Option("--port", min=1024, max=65535, metavar="N", help="The port that it keeps from now on."),
]
Install = Annotated[
    bool, typer.Option("--install", help="Install its dependencies first, where they are missing.")
]
Detach = Annotated[bool, typer.Option("--detach", help="Do not wait until it listens.")]


@commands.command(
    "start",
    "homeport start shop",
    "homeport start shop/storybook --install",
    "homeport start . --command 'npm run preview' --port 4000",
)
def start(
    server: options.ServerArgument = ".",
    *,
    command: StartCommand = None,
    port: StartPort = None,
    install: Install = False,
    detach: Detach = False,
    json: Json = False,
) -> None:
    """Start a dev server, wait until it listens, and print its address.

    It runs without this terminal, and without the agent; after a reboot it is started again. One that runs
    already is left alone.
    """
    with connect(STOP_S) as agent:
        repo, name = options.parse(agent, server)
        body = {"server": name, "command": command, "port": port, "install": install}
        started: Started = agent.post(f"/repos/{quote(repo, safe='')}/start", body)
        found = started["server"]
        if started["job"] is not None and not detach:
            line = ProgressLine(screen(), quiet=json)
            try:
                last = follow(agent, started["job"], line.show, cancels=True)
            finally:
                line.close()
            outcome(last)
            found = agent.get(f"/servers/{found['id']}")  # which the job has started
        if not install and found["missing"]:
            fix = f"homeport start {repo}/{found['name']} --install"
            sys.stderr.write(f"note: {clean(found['missing'])}; to install first: {fix}\n")
        _report(found if detach else _wait(agent, found), json, waited=not detach)


@commands.command("stop", "homeport stop shop", "homeport stop shop/storybook")
def stop(server: options.ServerArgument = ".", json: Json = False) -> None:
    """Stop the dev servers of a repo, or one of them, with all their processes."""
    with connect(STOP_S) as agent:
        repo, name = options.parse(agent, server)
        stopped: list[Server] = agent.post(f"/repos/{quote(repo, safe='')}/stop", {"server": name})
        _report_all(stopped, json, waited=False)


@commands.command("restart", "homeport restart shop", "homeport restart shop/web")
def restart(server: options.ServerArgument = ".", json: Json = False) -> None:
    """Stop the dev servers of a repo that run, or one of them, and start them again."""
    with connect(STOP_S) as agent:
        repo, name = options.parse(agent, server)
        begun: list[Server] = agent.post(f"/repos/{quote(repo, safe='')}/restart", {"server": name})
        _report_all([_wait(agent, each) for each in begun], json, waited=True)


@commands.command("servers", "homeport servers", "homeport servers shop --json")
def servers(
    repo: Annotated[str | None, typer.Argument(metavar="[REPO]", help="Of this repo alone.")] = None,
    json: Json = False,
) -> None:
    """List dev servers: those that repos describe, that run, and that somebody started by hand."""
    compose: list[str] = []
    with connect() as agent:
        if repo is None:
            found: list[Server] = agent.get("/servers")
        else:
            of_repo = options.servers_of(agent, options.parse(agent, repo)[0])
            found, compose = of_repo["servers"], of_repo["compose_files"]
    if json:
        write_json(found if repo is None else {"servers": found, "compose_files": compose})
        return
    rows = [
        (
            Cell(clean(f"{each['repo'] or each['repo_path']}/{each['name']}")),
            Cell("by hand" if each["by_hand"] else each["state"], _STYLES[each["state"]]),
            Cell(str(each["port"] or "")),
            Cell(clean(each["command"] or "")),
            Cell(each["url"] if each["url"] and each["state"] == "listening" else ""),
        )
        for each in found
    ]
    lines = lay_out(_COLUMNS, rows, screen()) if rows else ["No server was found in any repo."]
    if repo is not None and not rows:
        lines = [f"No start command was found. Give one: homeport start {repo} --command COMMAND"]
    write([*lines, *(f"{clean(file)} is seen, and not started." for file in compose)])


def _report_all(found: list[Server], json: bool, *, waited: bool) -> None:
    if json:
        write_json(found)
        return
    for each in found:
        _report(each, json, waited=waited)


def _wait(agent: Agent, server: Server) -> Server:
    """The server once it listens, or has ended. Raises Failure where it does neither for WAIT_S."""
    end = time.monotonic() + WAIT_S
    found = server
    while found["state"] in ("starting", "stopping") or found["started_at"] is None:
        if time.monotonic() > end:
            raise Failure(
                f"{found['name']} runs, and listens on no port that Homeport looks at",
                f"homeport logs {found['repo']}/{found['name']} shows what it prints",
            )
        time.sleep(POLL_S)
        found = agent.get(f"/servers/{server['id']}")
    return found


def _report(server: Server, json: bool, *, waited: bool) -> None:
    """Print a server; its address alone on the last line. Raises Failure for one that has failed."""
    if server["state"] == "failed" and waited:
        if json:
            write_json(server)
        for line in server["last_lines"]:
            sys.stderr.write(f"{clean(line)}\n")
        name = f"{server['repo']}/{server['name']}"
        fix: Any = f"homeport start {name} --install" if server["missing"] else f"homeport logs {name}"
        detail = f"{name} has failed: {clean(server['detail'] or 'nobody saw how')}"
        if server["missing"]:
            detail += f"; {clean(server['missing'])}"
        raise Failure(detail, fix, REFUSED)
    if json:
        write_json(server)
        return
    name = clean(f"{server['repo']}/{server['name']}")
    if server["state"] == "listening" and server["url"]:
        write([f"{name} listens on port {server['port']}.", server["url"]])
    else:
        write([f"{name} is {server['state']}."])
