"""Commands for the names and ports that an edge keeps."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from homeportd.cli import completion
from homeportd.cli.clients.agent_client import Agent
from homeportd.cli.clients.edge_client import asking, connect
from homeportd.cli.errors import NOT_FOUND, PORT, TAKEN, USAGE, Failure
from homeportd.cli.options import tunnel_options
from homeportd.cli.options.arguments import Json
from homeportd.cli.output import phrases
from homeportd.cli.output.terminal import Cell, Column, Style, lay_out, screen, write, write_json

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

Reservation = Annotated[
    str,
    typer.Argument(
        metavar="RESERVATION", help="Its id, address, name or port.", autocompletion=completion.reservations
    ),
]
Reservations = Annotated[
    str,
    typer.Argument(
        metavar="RESERVATION",
        help="Its id, address, name or port; or a range of ports.",
        autocompletion=completion.reservations,
    ),
]


def list_reservations(json: Json = False) -> None:
    """List the names and ports that the edge keeps."""
    with connect() as edge:
        found: list[dict[str, Any]] = edge.get("/reservations")
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
            Cell(", ".join(_limits(item))),
            Cell("live", Style.GREEN) if item["live"] else Cell("offline", Style.GREY),
        )
        for item in found
    ]
    write(lay_out(_RESERVED, rows, screen()))


def add_reservation(
    kind: tunnel_options.Kind,
    place: Annotated[
        str | None,
        typer.Argument(
            metavar="PLACE", help="A name for HTTP, else a port or a range; without it the edge chooses."
        ),
    ] = None,
    *,
    allow: tunnel_options.Allow = None,
    max_connections: tunnel_options.MaxConnections = None,
    max_rate: tunnel_options.MaxRate = None,
    passcode: tunnel_options.Passcode = False,
    passcode_stdin: tunnel_options.PasscodeStdin = False,
    token: Annotated[
        str | None, typer.Option("--token", metavar="ID", help="Whose it is; else of the first that uses it.")
    ] = None,
    json: Json = False,
) -> None:
    """Keep a name, a port or a range of ports, all of it or none; prints the addresses."""
    body: dict[str, Any] = {
        "kind": tunnel_options.kind_of(kind),
        "allow": [tunnel_options.network(text) for text in allow or []],
        "limits": tunnel_options.limits_of(max_connections, max_rate),
    }
    wanted: list[dict[str, Any]] = [{}]
    if place is not None and kind == "http":
        wanted = [{"name": tunnel_options.name(place)}]
    elif place is not None:
        fix = "write a number from 1 to 65535, such as 20022, or a range: 27015-27020"
        wanted = [
            {"port": number} for number in tunnel_options.span(place) or [tunnel_options.port(place, fix)]
        ]
    if token:
        body["token"] = token
    with asking() as edge:
        word = tunnel_options.passcode_of(passcode, passcode_stdin)
        if word:
            body["passcode"] = word
        made = _keep(edge, [body | chosen for chosen in wanted])
    if json:
        write_json(made if len(made) > 1 else made[0])
    else:
        write([one["address"] for one in made])


def _keep(edge: Agent, bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All of these reservations, or none. Raises Failure."""
    made: list[dict[str, Any]] = []
    for body in bodies:
        try:
            made.append(edge.post("/reservations", body))
        except Failure as failure:
            for one in made:
                edge.delete(f"/reservations/{one['id']}")
            if failure.status != 409:
                raise
            code = TAKEN if body["kind"] == "http" else PORT
            raise Failure(failure.detail, failure.fix, code) from failure
    return made


def change_reservation(
    what: Reservation,
    *,
    allow: tunnel_options.Allow = None,
    allow_all: Annotated[bool, typer.Option("--allow-all", help="Let in every network.")] = False,
    max_connections: tunnel_options.MaxConnections = None,
    max_rate: tunnel_options.MaxRate = None,
    no_limits: Annotated[bool, typer.Option("--no-limits", help="Take limits away.")] = False,
    passcode: tunnel_options.Passcode = False,
    passcode_stdin: tunnel_options.PasscodeStdin = False,
    no_passcode: Annotated[bool, typer.Option("--no-passcode", help="Take the passcode away.")] = False,
    json: Json = False,
) -> None:
    """Give a name or port other rules.

    At once, and for visitors that are here too. What is not named stays.
    """
    limits = tunnel_options.limits_of(max_connections, max_rate)
    for flag, clash in (
        ("--allow-all", allow_all and allow),
        ("--no-limits", no_limits and limits),
        ("--no-passcode", no_passcode and (passcode or passcode_stdin)),
    ):
        if clash:
            raise Failure(f"{flag} takes away what is given beside it", "choose one", USAGE)
    networks = [tunnel_options.network(text) for text in allow or []]
    with asking() as edge:
        found = _find(edge, what)
        kept = {key: value for key, value in found["limits"].items() if value is not None and not no_limits}
        body: dict[str, Any] = {
            "allow": networks or ([] if allow_all else found["allow"]),
            "limits": kept | limits,
        }
        word = tunnel_options.passcode_of(passcode, passcode_stdin)
        if word or no_passcode:
            body["passcode"] = word
        made = edge.put(f"/reservations/{found['id']}", body)
    if json:
        write_json(made)
    else:
        rules = (
            f"lets in {' and '.join(made['allow']) or 'every network'}",
            *(["asks for a passcode"] if made["passcode"] else []),
            *(f"at most {limit}" for limit in _limits(made)),
        )
        write([f"{made['address']} {', '.join(rules)}."])


def remove_reservation(what: Reservations, json: Json = False) -> None:
    """Give a name, a port or a range of ports up. A live tunnel goes on until its client ends it."""
    with connect() as edge:
        listed = edge.get("/reservations")
        # A name may look like a range: 20-24.
        span = None if _meant(listed, what) else tunnel_options.span(what)
        found = [_one(listed, what)] if span is None else [_one(listed, str(number)) for number in span]
        for each in found:
            edge.delete(f"/reservations/{each['id']}")
    if json:
        write_json(found if len(found) > 1 else found[0])
    else:
        write([f"{each['address']} is not reserved any more." for each in found])


def _find(edge: Agent, what: str) -> dict[str, Any]:
    """The reservation that is meant. Raises Failure."""
    return _one(edge.get("/reservations"), what)


def _meant(listed: list[dict[str, Any]], what: str) -> list[dict[str, Any]]:
    return [x for x in listed if what in (x["id"], x["address"], x["name"], str(x["port"]))]


def _one(listed: list[dict[str, Any]], what: str) -> dict[str, Any]:
    found = _meant(listed, what)
    if not found:
        raise Failure(f"{what} is not reserved", "homeport reservations list", NOT_FOUND)
    if len(found) > 1:
        ids = ", ".join(item["id"] for item in found)
        raise Failure(f"{what} is more than one reservation", f"name one by its id: {ids}", USAGE)
    return found[0]


def _limits(item: dict[str, Any]) -> list[str]:
    connections, rate = item["limits"]["connections"], item["limits"]["bytes_per_second"]
    return [
        *([f"{connections} connection{'' if connections == 1 else 's'}"] if connections else []),
        *([f"{phrases.size(rate)}/s"] if rate else []),
    ]
