"""The commands for reservations: names and ports that an edge keeps."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from homeportd.cli import completion
from homeportd.cli.api_types import Limits, Reservation
from homeportd.cli.clients.agent_client import Agent
from homeportd.cli.clients.edge_client import asking, connect
from homeportd.cli.errors import NOT_FOUND, PORT, TAKEN, TUNNEL_EXIT_CODES, USAGE, Failure
from homeportd.cli.options.arguments import Json
from homeportd.cli.options.targets import parse_external_port, parse_kind, parse_name, parse_range
from homeportd.cli.options.tunnel_options import KindArgument, TunnelOptions, takes_options
from homeportd.cli.output import phrases
from homeportd.cli.output.terminal import Cell, Column, Style, lay_out, screen, write, write_json
from homeportd.cli.registry import Group

commands = Group(
    "reservations",
    "Keep names and ports at the edge.",
    alone="list",
    position=80,
    exit_codes=TUNNEL_EXIT_CODES,
)

_RESERVED: Final = (
    Column("ID", 5),
    Column("KIND", 6),
    Column("ADDRESS", 9, must=True),
    Column("TOKEN", 4, least=6),
    Column("ALLOW", 3, least=12),
    Column("PASSCODE", 1),
    Column("LIMITS", 0, least=12),
    Column("NOW", 7, must=True),
)

ReservationArgument = Annotated[
    str,
    typer.Argument(
        metavar="RESERVATION", help="Its id, address, name or port.", autocompletion=completion.reservations
    ),
]
ReservationsArgument = Annotated[
    str,
    typer.Argument(
        metavar="RESERVATION",
        help="Its id, address, name or port; or a range of ports.",
        autocompletion=completion.reservations,
    ),
]


@commands.command("list", "homeport reservations list")
def list_reservations(json: Json = False) -> None:
    """List the names and ports that the edge keeps."""
    with connect() as edge:
        found: list[Reservation] = edge.get("/reservations")
    if json:
        write_json(found)
        return
    if not found:
        write(["Nothing is reserved. Reserve a name:", "  homeport reservations add http myapp"])
        return
    rows = [
        (
            Cell(item["id"]),
            Cell(item["kind"]),
            Cell(item["address"], Style.BOLD),
            Cell(item["token"] or ""),
            Cell(", ".join(item["allow"])),
            Cell("yes" if item["passcode"] else ""),
            Cell(", ".join(_limits(item["limits"]))),
            Cell("live", Style.GREEN) if item["live"] else Cell("offline", Style.GREY),
        )
        for item in found
    ]
    write(lay_out(_RESERVED, rows, screen()))


@commands.command(
    "add",
    "homeport reservations add http myapp",
    "homeport reservations add tcp 20022 --allow 192.0.2.0/24",
    "homeport reservations add udp 27015-27020",
)
@takes_options("reservation")
def add_reservation(
    kind: KindArgument,
    endpoint: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME|PORT", help="A name for HTTP, else a port or a range; without it the edge chooses."
        ),
    ] = None,
    *,
    options: TunnelOptions,
    token: Annotated[
        str | None, typer.Option("--token", metavar="ID", help="Whose it is; else of the first that uses it.")
    ] = None,
    json: Json = False,
) -> None:
    """Keep a name, a port or a range of ports, all of it or none; prints the addresses."""
    body: dict[str, Any] = {
        "kind": parse_kind(kind),
        "allow": options.networks(),
        "limits": options.limits(),
    }
    endpoints: list[dict[str, Any]] = [{}]
    if endpoint is not None and kind == "http":
        endpoints = [{"name": parse_name(endpoint)}]
    elif endpoint is not None:
        fix = "write a number from 1 to 65535, such as 20022, or a range: 27015-27020"
        endpoints = [
            {"port": number} for number in parse_range(endpoint) or [parse_external_port(endpoint, fix)]
        ]
    if token:
        body["token"] = token
    if options.subdomains:
        body["subdomains"] = True
    with asking() as edge:
        passcode = options.read_passcode()
        if passcode:
            body["passcode"] = passcode
        made = _reserve(edge, [body | each for each in endpoints])
    if json:
        write_json(made if len(made) > 1 else made[0])
    else:
        write([each["address"] for each in made])


def _reserve(edge: Agent, bodies: list[dict[str, Any]]) -> list[Reservation]:
    """Make all of these reservations, or none. Raises Failure."""
    made: list[Reservation] = []
    for body in bodies:
        try:
            made.append(edge.post("/reservations", body))
        except Failure as failure:
            for each in made:
                edge.delete(f"/reservations/{each['id']}")
            if failure.status != 409:
                raise
            code = TAKEN if body["kind"] == "http" else PORT
            raise Failure(failure.detail, failure.fix, code) from failure
    return made


@commands.command(
    "change",
    "homeport reservations change myapp --allow 203.0.113.0/24",
    "homeport reservations change 20022 --allow-all --max-connections 10",
)
@takes_options("reservation")
def change_reservation(
    what: ReservationArgument,
    *,
    options: TunnelOptions,
    allow_all: Annotated[bool, typer.Option("--allow-all", help="Let in every network.")] = False,
    no_limits: Annotated[bool, typer.Option("--no-limits", help="Take limits away.")] = False,
    no_passcode: Annotated[bool, typer.Option("--no-passcode", help="Take the passcode away.")] = False,
    no_subdomains: Annotated[
        bool,
        typer.Option(
            "--no-subdomains", help="Let names below it lead nowhere, unless its client asks for them."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Give a name or port other rules.

    At once, and for visitors that are here too. What is not named stays.
    """
    limits = options.limits()
    for flag, clash in (
        ("--allow-all", allow_all and options.allow),
        ("--no-limits", no_limits and limits),
        ("--no-passcode", no_passcode and (options.passcode or options.passcode_stdin)),
        ("--no-subdomains", no_subdomains and options.subdomains),
    ):
        if clash:
            raise Failure(f"{flag} takes away what is given beside it", "choose one", USAGE)
    networks = options.networks()
    with asking() as edge:
        found = _one(edge.get("/reservations"), what)
        kept = {key: value for key, value in found["limits"].items() if value is not None and not no_limits}
        body: dict[str, Any] = {
            "allow": networks or ([] if allow_all else found["allow"]),
            "limits": kept | limits,
        }
        passcode = options.read_passcode()
        if passcode or no_passcode:
            body["passcode"] = passcode
        if options.subdomains or no_subdomains:
            body["subdomains"] = options.subdomains
        changed: Reservation = edge.put(f"/reservations/{found['id']}", body)
    if json:
        write_json(changed)
    else:
        rules = (
            f"lets in {' and '.join(changed['allow']) or 'every network'}",
            *(["asks for a passcode"] if changed["passcode"] else []),
            *(
                ["takes names below its own"] if changed.get("subdomains") else []
            ),  # not in answers of older edges
            *(f"at most {limit}" for limit in _limits(changed["limits"])),
        )
        write([f"{changed['address']} {', '.join(rules)}."])


@commands.command(
    "remove",
    "homeport reservations remove myapp",
    "homeport reservations remove 27015-27020",
)
def remove_reservation(what: ReservationsArgument, json: Json = False) -> None:
    """Give a name, a port or a range of ports up. A live tunnel goes on until its client ends it."""
    with connect() as edge:
        listed: list[Reservation] = edge.get("/reservations")
        # A name may look like a range: 20-24.
        ports = None if _matching(listed, what) else parse_range(what)
        found = [_one(listed, what)] if ports is None else [_one(listed, str(port)) for port in ports]
        for each in found:
            edge.delete(f"/reservations/{each['id']}")
    if json:
        write_json(found if len(found) > 1 else found[0])
    else:
        write([f"{each['address']} is not reserved any more." for each in found])


def _matching(listed: list[Reservation], what: str) -> list[Reservation]:
    return [each for each in listed if what in (each["id"], each["address"], each["name"], str(each["port"]))]


def _one(listed: list[Reservation], what: str) -> Reservation:
    """The reservation with this id, address, name or port. Raises Failure."""
    found = _matching(listed, what)
    if not found:
        raise Failure(f"{what} is not reserved", "homeport reservations list", NOT_FOUND)
    if len(found) > 1:
        ids = ", ".join(each["id"] for each in found)
        raise Failure(f"{what} is more than one reservation", f"name one by its id: {ids}", USAGE)
    return found[0]


def _limits(limits: Limits) -> list[str]:
    """The limits in words; none where there is none."""
    connections, rate = limits["connections"], limits["bytes_per_second"]
    return [
        *([f"{connections} connection{'' if connections == 1 else 's'}"] if connections else []),
        *([f"{phrases.size(rate)}/s"] if rate else []),
    ]
