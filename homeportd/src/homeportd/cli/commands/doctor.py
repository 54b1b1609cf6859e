"""The command that tests each hop and says what to mend."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer

from homeportd.cli import completion
from homeportd.cli.api_types import Status
from homeportd.cli.clients import installation
from homeportd.cli.clients.agent_client import Agent
from homeportd.cli.doctor import checks
from homeportd.cli.doctor.checks import Check
from homeportd.cli.errors import REFUSED, Failure
from homeportd.cli.options.arguments import Json, parse_port
from homeportd.cli.output import phrases
from homeportd.cli.output.terminal import Screen, Style, clean, screen, write, write_json

AGENT_TIMEOUT: Final = 3.0  # seconds
NARROW: Final = 60  # columns, below which a fix stands at the left
_MARKS: Final = {
    "ok": ("✓", Style.GREEN),
    "note": ("!", Style.AMBER),
    "fail": ("✗", Style.RED),
    "skipped": ("-", Style.GREY),
}

OptionalPort = Annotated[
    int | None,
    typer.Argument(
        parser=parse_port,
        metavar="PORT",
        help="Test this port too.",
        autocompletion=completion.ports,
        show_default=False,
    ),
]


def doctor(port: OptionalPort = None, json: Json = False) -> None:
    """Test each hop, and say what to fix.

    From a browser to a dev server, and from here to the edge of tunnels. Exit code 1 when a hop fails.
    """
    found = examine(port)
    failed = [hop for hop in found if hop.state == "fail"]
    if json:
        write_json({"ok": not failed, "hops": [asdict(hop) for hop in found]})
    else:
        write(report(found, screen()))
    if failed:
        raise typer.Exit(REFUSED)


def examine(port: int | None) -> list[Check]:
    """Test every hop in order; later ones are skipped where an earlier one leaves nothing to test."""
    from homeportd.cli.doctor import (  # asyncio, pydantic: too slow for the other commands
        client_checks,
        disk_check,
    )

    _progress("edge")
    client = client_checks.client()
    _progress("")
    if client and port is None and not installation.exists():
        return [*client, disk_check.disk([client_checks.folder()])]  # a laptop with tunnels, and no agent
    return _examine_agent(port, [client_checks.folder()] if client else []) + client


def _examine_agent(port: int | None, of_client: list[Path]) -> list[Check]:
    from homeportd import settings as settings_module
    from homeportd.cli.doctor import disk_check

    found: list[Check] = []
    try:
        place = installation.find()
    except Failure as failure:
        return [
            Check("settings", "fail", failure.detail, failure.fix),
            *_skipped("agent", "sockets", "names", "caddy"),
        ]
    try:
        settings = settings_module.load(place.config)
    except settings_module.SettingsError as error:
        found.append(Check("settings", "fail", str(error), error.fix))
        return [*found, *_skipped("agent", "sockets", "names", "caddy", "decisions")]
    found.append(Check("settings", "ok", str(place.config)))
    found.append(disk_check.disk([settings.data_dir, *of_client]))

    _progress("agent")
    with Agent(place, AGENT_TIMEOUT) as agent:
        hop = _agent(agent)
        found.append(hop)
        up = hop.state == "ok"
        origins = settings.origins
        served = checks.SOCKETS if origins else ("web",)
        found.append(checks.sockets(settings.socket_dir, place.remedy("homeportd"), served))
        if settings.edge is not None:
            from homeportd.cli.doctor import edge_checks  # ssl: of no use elsewhere

            _progress("traefik")
            found.extend(edge_checks.edge(settings.edge, place.remedy("homeport-traefik")))
        if origins is None:  # an edge alone: no Caddy, no dev servers
            _progress("")
            return found
        of_port = origins.of_port(port or checks.PROBE_PORT)
        _progress("names")
        found.append(checks.names(origins.dashboard, of_port, settings.user_reason == "rootless"))
        _progress("caddy")
        caddy = place.remedy("homeport-caddy")
        found.append(checks.front_door(origins.dashboard, up, caddy))
        _progress("decisions")
        found.append(checks.decisions(of_port, up, caddy))
        if port is not None:
            _progress(f"port {port}")
            outside = settings.outside(port)
            if outside:
                found += [
                    checks.outside(port, outside, settings.port_ranges),
                    *_skipped("dev server", "share"),
                ]
            else:
                found.extend(_port(agent, port) if up else _skipped("listener", "dev server", "share"))
    _progress("")
    return found


def _agent(agent: Agent) -> Check:
    try:
        status: Status = agent.get("/status")
    except Failure as failure:
        return Check("agent", "fail", failure.detail, failure.fix)
    return Check(
        "agent",
        "ok",
        f"{status['version']}, user {status['user']}, up {phrases.duration(status['uptime_s'])}",
    )


def _port(agent: Agent, number: int) -> list[Check]:
    try:
        port = agent.port(number)
        share = port["share"] if port else agent.share(number)
    except Failure as failure:
        return [Check("listener", "fail", failure.detail, failure.fix)]
    found = [checks.listener(number, port)]
    found += [checks.speaks_http(port)] if port and port["listening"] else _skipped("dev server")
    sentence = phrases.sentence(share, phrases.local_now())
    if share["expired"]:
        fix = f"homeport share {number} --expires 24h, if it is to be open again"
        return [*found, Check("share", "note", sentence, fix)]
    return [*found, Check("share", "ok", sentence)]


def _skipped(*names: str) -> list[Check]:
    return [Check(name, "skipped", "not tested: mend what fails above first") for name in names]


def report(found: list[Check], to: Screen) -> list[str]:
    """The verdict, then a line a hop: mark, what, result; below it the fix."""
    failed = sum(hop.state == "fail" for hop in found)
    verdict = f"{failed} of {len(found)} hops fail." if failed else "Every hop works."
    lines = [to.paint(verdict, Style.BOLD)]
    for hop in found:
        mark, style = _MARKS[hop.state]
        lines.extend(_wrapped(f"{to.paint(mark, style)} {hop.name:<10}  ", clean(hop.detail), to))
        if hop.fix:
            indent = (
                14 if to.width is None or to.width >= NARROW else 2
            )  # a setting's name is not to be folded
            head = f"{'':<{indent}}{to.paint('fix:', Style.BOLD)} "
            lines.extend(_wrapped(head, clean(hop.fix), to, lead=indent + 5))
    return lines


def _wrapped(head: str, text: str, to: Screen, lead: int = 14) -> list[str]:
    """The text after its head, folded between words; `lead` is the width of the head."""
    import textwrap  # one command needs it

    room = None if to.width is None else max(16, to.width - lead)
    folded = (
        [text] if room is None else textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)
    )
    return [head + line if i == 0 else " " * lead + line for i, line in enumerate(folded or [""])]


def _progress(what: str) -> None:
    """Say on a terminal which hop is being tested; gone when the report comes."""
    if sys.stderr.isatty() and sys.stdout.isatty():
        sys.stderr.write(f"\r\x1b[Ktesting {what} …" if what else "\r\x1b[K")
        sys.stderr.flush()
