"""The command for logs: who opened a port, or what a server prints."""

from __future__ import annotations

import json as json_module
import re
import sys
import time
from collections.abc import Callable
from typing import Annotated, Final

import typer

from homeportd.cli import completion
from homeportd.cli.api_types import Access
from homeportd.cli.clients.agent_client import Agent, connect
from homeportd.cli.errors import UNREACHABLE, Failure
from homeportd.cli.options import servers as options
from homeportd.cli.options.arguments import Json, parse_port
from homeportd.cli.output import phrases, tables
from homeportd.cli.output.terminal import screen, write, write_json
from homeportd.cli.registry import Commands
from homeportd.cli.server_types import OutputLine

commands = Commands(position=22)

MAX_LINES: Final = 1000  # the agent's own limit of one page of the access log
FOLLOW_INTERVAL_S: Final = 1.0  # between two requests for the log
FOLLOW_RESTART_S: Final = 60.0  # for which an agent that restarts is waited for

_COLOURS = re.compile(r"\x1b\[[0-9;:]*m")

Target = Annotated[
    str,
    typer.Argument(
        metavar="PORT|REPO[/SERVER]",
        help="A port, such as 5173, for who opened it; a repo or server for what it prints.",
        autocompletion=completion.ports_and_servers,
    ),
]
Lines = Annotated[
    int, typer.Option("-n", "--lines", metavar="N", min=1, max=MAX_LINES, help="How many of the newest.")
]
Follow = Annotated[bool, typer.Option("-f", "--follow", help="Go on with new ones as they come.")]


@commands.command(
    "logs",
    "homeport logs 5173",
    "homeport logs 5173 -n 100 -f",
    "homeport logs shop -f",
    "homeport logs shop/web",
)
def logs(target: Target, lines: Lines = 20, follow: Follow = False, json: Json = False) -> None:
    """Show who opened a port, or tried to; of a repo or server, what it prints."""
    if re.fullmatch(r":?\d+|-\d+|", target.strip()):
        _accesses(parse_port(target), lines, follow, json)
    else:
        _output(target, lines, follow, json)


def _accesses(port: int, lines: int, follow: bool, json: bool) -> None:
    with connect() as agent:
        newest: list[Access] = agent.get(f"/ports/{port}/logs?limit={lines}")
        entries = newest[::-1]
        if json and not follow:
            write_json(entries)
        elif entries or follow:
            _show(entries, json, heading=True)
        else:
            write([f"Nobody has opened port {port} yet."])
        if follow:
            _follow(agent, port, entries[-1]["id"] if entries else 0, json)


def _show(entries: list[Access], json: bool, *, heading: bool = False) -> None:
    """Print log entries; as JSON, one a line, so that a reader need not wait for the end."""
    if json:
        write(json_module.dumps(entry) for entry in entries)
    elif entries:
        write(tables.access_log(entries, screen(), phrases.local_now(), heading=heading))


def _follow(agent: Agent, port: int, last: int, json: bool) -> None:
    """Print entries newer than `last` until Ctrl-C, also across a restart of the agent."""
    newest: list[Access] = []

    def ask() -> None:
        nonlocal newest
        newest = agent.get(f"/ports/{port}/logs?limit={MAX_LINES}")

    while True:
        time.sleep(FOLLOW_INTERVAL_S)
        _through_restarts(ask)
        fresh = [entry for entry in newest[::-1] if entry["id"] > last]
        if fresh:
            _show(fresh, json)
            last = fresh[-1]["id"]


def _through_restarts(work: Callable[[], None]) -> None:
    """Call `work` until the agent is there for it; raises Failure when that takes longer than FOLLOW_RESTART_S."""
    lost_at: float | None = None
    while True:
        try:
            work()
        except Failure as failure:
            if failure.code != UNREACHABLE:
                raise
            if lost_at is None:
                lost_at = time.monotonic()
                sys.stderr.write(f"note: {failure.detail}; waiting for it\n")
            if time.monotonic() - lost_at > FOLLOW_RESTART_S:
                raise
            time.sleep(FOLLOW_INTERVAL_S)
        else:
            return


def _output(target: str, lines: int, follow: bool, json: bool) -> None:
    """Print the output of a server. Several servers of a repo: that of the first one that runs."""
    with connect() as agent:
        server = options.find(agent, target)
        path = f"/servers/{server['id']}/output"
        found: list[OutputLine] = agent.get(f"{path}?lines={lines}")
        if json and not follow:
            write_json(found)
            return
        _print(found, json)
        if not found and not follow:
            write([f"{target} has printed nothing yet."])
        end = found[-1]["end"] if found else 0

        def read() -> None:
            nonlocal end
            for line in agent.stream(f"{path}?follow=true&since={end}"):
                _print([line], json)
                end = line["end"]
            raise Failure("the agent ended", "homeport doctor", UNREACHABLE)

        if follow:
            _through_restarts(read)


def _print(lines: list[OutputLine], json: bool) -> None:
    if json:
        write(json_module.dumps(line) for line in lines)
    elif screen().colour:
        write(f"{line['text']}\x1b[0m" for line in lines)
    else:
        write(_COLOURS.sub("", line["text"]) for line in lines)
