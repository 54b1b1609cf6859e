"""Commands for tunnels that last: the daemon's own, and all of the edge."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from homeportd.cli import cautions, completion
from homeportd.cli.clients import daemon_client
from homeportd.cli.clients.edge_client import connect
from homeportd.cli.errors import NOT_FOUND, REFUSED, UNREACHABLE, USAGE, Failure
from homeportd.cli.options import tunnel_options
from homeportd.cli.options.arguments import Json
from homeportd.cli.options.tunnel_options import failure_of
from homeportd.cli.output import phrases
from homeportd.cli.output.terminal import Cell, Column, Style, lay_out, screen, write, write_json

_COLUMNS: Final = (
    Column("ID", 3),
    Column("KIND", 5),
    Column("ADDRESS", 9, must=True),
    Column("TO", 6),
    Column("CLIENT", 5, least=6),
    Column("STATE", 8, must=True),
    Column("NOW", 4, right=True),
    Column("IN", 2, right=True),
    Column("OUT", 2, right=True),
    Column("LAST BYTE", 7, must=True),
    Column("ALLOW", 1, least=12),
)


def show(json: Json = False) -> None:
    """List the daemon's tunnels, and the edge's.

    The edge's are shown where its API may be asked: on the edge itself, or with an owner's token.
    """
    mine: dict[str, Any] | None
    try:
        mine = daemon_client.ask({"do": "status"})
    except daemon_client.NoDaemon:
        mine = None
    theirs, why = _of_edge()
    if json:
        write_json({"daemon": mine and mine["tunnels"], "edge": theirs})
        return
    if mine is None and theirs is None:
        if why is not None and why.code == UNREACHABLE:
            raise why
        raise daemon_client.NoDaemon
    lines = [] if mine is None else _table(mine["tunnels"], "No tunnels of the daemon.")
    if theirs is None:
        lines += ["", f"The edge's own list is not shown: {why}."]
    else:
        lines += ["", screen().paint("At the edge", Style.BOLD), *_table(theirs, "No tunnels at the edge.")]
    write(lines if mine is not None else lines[1:])


def add(
    kind: tunnel_options.Kind,
    targets: tunnel_options.Targets,
    *,
    domain: tunnel_options.Domain = None,
    reserve_port: tunnel_options.ReservePort = None,
    allow: tunnel_options.Allow = None,
    max_connections: tunnel_options.MaxConnections = None,
    max_rate: tunnel_options.MaxRate = None,
    passcode: tunnel_options.Passcode = False,
    passcode_stdin: tunnel_options.PasscodeStdin = False,
    host_header: tunnel_options.HostHeader = "auto",
    yes: cautions.Yes = False,
    json: Json = False,
) -> None:
    """Give the daemon tunnels, which it keeps.

    Prints their addresses, one a line. One that asks for the same place as another takes its place.
    """
    tunnel_options.kind_of(kind)
    limits = tunnel_options.limits_of(max_connections, max_rate)
    if kind == "http" and reserve_port:
        raise Failure("--reserve-port is for TCP and UDP", "use --domain for HTTP", USAGE)
    if kind != "http" and (domain or passcode or passcode_stdin):
        raise Failure("--domain and --passcode are for HTTP", "use --reserve-port and --allow", USAGE)
    daemon_client.ask({"do": "status"})  # before a person types a passcode for nothing
    made = tunnel_options.make(
        kind,
        targets,
        domain=domain,
        reserve_port=reserve_port,
        allow=allow,
        limits=limits,
        passcode=tunnel_options.passcode_of(passcode, passcode_stdin),
        host_header=host_header,
    )
    cautions.heed_tunnels(made, yes=yes)
    answers, failures = [], []
    for wish in made:
        try:
            answers.append(added(wish))
        except Failure as failure:
            failures.append(failure)
    if json and answers:
        write_json(answers)
    else:
        write([answer["address"] for answer in answers])
    if failures:
        raise failures[0]


def added(wish: dict[str, Any]) -> dict[str, Any]:
    """A tunnel of the daemon. Raises Failure; when the edge is away, the tunnel is kept and opens later."""
    answer = daemon_client.ask({"do": "add", "wish": wish})
    tunnel: dict[str, Any] = answer["tunnel"]
    if tunnel["state"] == "live":
        return tunnel
    problem = answer["problem"] or {
        "reason": "unreachable",
        "detail": "the edge did not answer in time",
        "fix": "",
    }
    why = failure_of(problem)
    raise Failure(
        f"{why.detail}; the tunnel to {tunnel['target']} is kept, and opens as soon as it can",
        why.fix or "homeport daemon status",
        why.code if why.code != REFUSED else UNREACHABLE,
    )


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
        removed = daemon_client.ask({"do": "remove", "what": what})["removed"]
    except Failure as failure:
        if "has no tunnel" in failure.detail:
            raise Failure(failure.detail, failure.fix, NOT_FOUND) from failure
        raise
    if json:
        write_json(removed)
    else:
        write([f"The tunnel {tunnel['address'] or tunnel['target']} is gone." for tunnel in removed])


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
        found = [
            t for t in edge.get("/tunnels") if what in (t["id"], t["address"], t["name"], str(t["port"]))
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


def _of_edge() -> tuple[list[dict[str, Any]] | None, Failure | None]:
    try:
        with connect(3.0) as edge:
            found: list[dict[str, Any]] = edge.get("/tunnels")
            return found, None
    except Failure as failure:
        return None, failure


def _table(tunnels: list[dict[str, Any]], nothing: str) -> list[str]:
    if not tunnels:
        return [nothing, "  homeport tunnels add http 3000 --domain myapp"]
    now = phrases.local_now()
    rows = [
        (
            Cell(str(tunnel.get("key") or tunnel["id"])),
            Cell(tunnel["kind"]),
            Cell(tunnel["address"] or "", Style.BOLD),
            Cell(phrases.target(tunnel)),
            Cell(tunnel.get("client") or ""),
            Cell(tunnel["state"], Style.GREEN if tunnel["state"] == "live" else Style.AMBER),
            Cell(str(tunnel["connections"])),
            Cell(phrases.size(tunnel["bytes_in"])),
            Cell(phrases.size(tunnel["bytes_out"])),
            Cell(phrases.past(tunnel["last_byte_at"], now) if tunnel["last_byte_at"] else "never"),
            Cell(", ".join(tunnel["allow"])),
        )
        for tunnel in tunnels
    ]
    return lay_out(_COLUMNS, rows, screen())
