"""The commands for tunnels: in the foreground, of the daemon, and all of an edge."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from homeportd.cli import cautions, completion
from homeportd.cli.api_types import EdgeTunnel
from homeportd.cli.clients import daemon_client, own_edge
from homeportd.cli.clients.edge_client import connect
from homeportd.cli.errors import NOT_FOUND, TUNNEL_EXIT_CODES, UNREACHABLE, USAGE, Failure
from homeportd.cli.options.arguments import Json
from homeportd.cli.options.targets import KINDS, parse_kind
from homeportd.cli.options.tunnel_options import (
    KindArgument,
    Targets,
    TunnelOptions,
    takes_options,
    tunnel_specs,
)
from homeportd.cli.output import tunnel_tables
from homeportd.cli.output.terminal import Style, screen, write, write_json
from homeportd.cli.registry import Commands, Group
from homeportd.tunnels.status import DaemonStatus

commands = Commands(position=70, exit_codes=TUNNEL_EXIT_CODES)
tunnels = Group(
    "tunnels",
    "List, add, remove and kill tunnels.",
    alone="list",
    position=70,
    exit_codes=TUNNEL_EXIT_CODES,
)

EDGE_S: Final = 3.0  # seconds for each step of asking the edge, whose list may be left out
JsonLines = Annotated[
    bool, typer.Option("--json", help="Print JSON objects, one a line: what is open, then each change.")
]


@commands.command(
    "http",
    "homeport http 3000 --domain myapp",
    "homeport http 3000=web 8000=api",
    "homeport http 3000 --allow 203.0.113.0/24 --passcode",
)
@takes_options("http")
def http(targets: Targets, *, options: TunnelOptions, json: JsonLines = False) -> None:
    """Give local web servers public addresses, until Ctrl-C.

    The first lines are the addresses.
    """
    _open("http", targets, options, json)


@commands.command(
    "tcp",
    "homeport tcp 22 --reserve-port 20022",
    "homeport tcp 5432=25432 6379=26379",
    "homeport tcp 25 --proxy-protocol v2",
)
@takes_options("tcp")
def tcp(targets: Targets, *, options: TunnelOptions, json: JsonLines = False) -> None:
    """Give local TCP servers public ports, until Ctrl-C."""
    _open("tcp", targets, options, json)


@commands.command("udp", "homeport udp 51820 --reserve-port 20820", "homeport udp 27015-27020=27015-27020")
@takes_options("udp")
def udp(targets: Targets, *, options: TunnelOptions, json: JsonLines = False) -> None:
    """Give local UDP servers public ports, until Ctrl-C."""
    _open("udp", targets, options, json)


def _open(kind: str, targets: list[str], options: TunnelOptions, json: bool) -> None:
    from homeportd.cli.clients import foreground  # asyncio, pydantic: too slow for help

    options.check(kind)
    own_edge.account()
    specs = tunnel_specs(kind, targets, options)
    cautions.confirm_tunnels(specs, yes=options.yes)
    raise typer.Exit(foreground.run(specs, json))


@tunnels.command("list", "homeport tunnels list")
def list_tunnels(json: Json = False) -> None:
    """List the daemon's tunnels, and the edge's.

    The edge's are shown where its API may be asked: on the edge itself, or with an owner's token.
    """
    daemon: DaemonStatus | None
    try:
        daemon = daemon_client.status()
    except daemon_client.NoDaemon:
        daemon = None
    edge: list[EdgeTunnel] | None = None
    failure: Failure | None = None
    try:
        with connect(EDGE_S) as agent:
            edge = agent.get("/tunnels")
    except Failure as error:
        failure = error
    if json:
        write_json({"daemon": daemon and daemon["tunnels"], "edge": edge})
        return
    if daemon is None and edge is None:
        if failure is not None and failure.code == UNREACHABLE:
            raise failure
        raise daemon_client.NoDaemon
    to = screen()
    lines = [] if daemon is None else tunnel_tables.of_daemon(daemon["tunnels"], to)
    if edge is None:
        lines += ["", f"The edge's own list is not shown: {failure}."]
    else:
        lines += ["", to.paint("At the edge", Style.BOLD), *tunnel_tables.of_edge(edge, to)]
    write(lines if daemon is not None else lines[1:])


@tunnels.command(
    "add", "homeport tunnels add http 3000 --domain myapp", "homeport tunnels add udp 51820=20820"
)
@takes_options(*KINDS)
def add(kind: KindArgument, targets: Targets, *, options: TunnelOptions, json: Json = False) -> None:
    """Give the daemon tunnels, which it keeps.

    Prints their addresses, one a line. One that asks for the same name or port as another takes its place.
    """
    options.check(parse_kind(kind))
    daemon_client.status()  # before a person types a passcode for nothing
    specs = tunnel_specs(kind, targets, options)
    cautions.confirm_tunnels(specs, yes=options.yes)
    added, failures = [], []
    for spec in specs:
        try:
            added.append(daemon_client.add_tunnel(spec))
        except Failure as failure:
            failures.append(failure)
    if json and added:
        write_json(added)
    else:
        write([tunnel["address"] or "" for tunnel in added])
    if failures:
        raise failures[0]


@tunnels.command("remove", "homeport tunnels remove myapp")
def remove(
    what: Annotated[
        str,
        typer.Argument(
            metavar="TUNNEL", help="Its address, name, port or target.", autocompletion=completion.tunnels
        ),
    ],
    json: Json = False,
) -> None:
    """End a tunnel of the daemon for good. A reservation of its name or port stays at the edge."""
    try:
        removed = daemon_client.remove_tunnels(what)
    except Failure as failure:
        if "has no tunnel" in failure.detail:
            raise Failure(failure.detail, failure.fix, NOT_FOUND) from failure
        raise
    if json:
        write_json(removed)
    else:
        write([f"The tunnel {tunnel['address'] or tunnel['target']} is gone." for tunnel in removed])


@tunnels.command("kill", "homeport tunnels kill myapp")
def kill(
    what: Annotated[
        str,
        typer.Argument(
            metavar="TUNNEL",
            help="Its id, address, name or port at the edge.",
            autocompletion=completion.tunnels_of_edge,
        ),
    ],
    json: Json = False,
) -> None:
    """End a tunnel at the edge, whoever's it is.

    Its client does not ask for it again.
    """
    with connect() as edge:
        listed: list[EdgeTunnel] = edge.get("/tunnels")
        found = [
            tunnel
            for tunnel in listed
            if what in (tunnel["id"], tunnel["address"], tunnel["name"], str(tunnel["port"]))
        ]
        if not found:
            raise Failure(f"the edge has no tunnel {what}", "homeport tunnels list", NOT_FOUND)
        if len(found) > 1:
            ids = ", ".join(tunnel["id"] for tunnel in found)
            raise Failure(f"{what} is more than one tunnel", f"name one by its id: {ids}", USAGE)
        edge.delete(f"/tunnels/{found[0]['id']}")
    if json:
        write_json(found[0])
    else:
        write([f"The tunnel {found[0]['address']} is ended."])
