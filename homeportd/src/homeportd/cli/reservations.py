"""Commands for what an edge keeps: names and ports; and for the tokens of its clients."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from homeportd.cli import completion, wishes, words
from homeportd.cli.arguments import Json
from homeportd.cli.edge_client import connect
from homeportd.cli.errors import NOT_FOUND, USAGE, Failure
from homeportd.cli.terminal import Cell, Column, Style, lay_out, screen, write, write_json

GRACE: Final = "1h"
_SPAN: Final = re.compile(r"([0-9]{1,9})(s|m|h|d)?")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, None: 1}
_RESERVED: Final = (
    Column("ID", 5),
    Column("ADDRESS", 9),
    Column("TOKEN", 4, least=6),
    Column("ALLOW", 3, least=12),
    Column("PASSCODE", 1),
    Column("NOW", 7),
)

Kind = Annotated[str, typer.Argument(metavar="KIND", help="http, tcp or udp.")]


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
            Cell(item["address"], Style.BOLD),
            Cell(item["token"] or ""),
            Cell(", ".join(item["allow"])),
            Cell("yes" if item["passcode"] else ""),
            Cell("live", Style.GREEN) if item["live"] else Cell("offline", Style.GREY),
        )
        for item in found
    ]
    write(lay_out(_RESERVED, rows, screen()))


def add_reservation(
    kind: Kind,
    place: Annotated[
        str | None, typer.Argument(metavar="[NAME|PORT]", help="Without it, the edge chooses.")
    ] = None,
    *,
    allow: wishes.Allow = None,
    passcode: wishes.Passcode = False,
    passcode_stdin: wishes.PasscodeStdin = False,
    token: Annotated[
        str | None, typer.Option("--token", metavar="ID", help="Whose it is; else of the first that uses it.")
    ] = None,
    json: Json = False,
) -> None:
    """Keep a name or port; prints its address."""
    if kind not in ("http", "tcp", "udp"):
        raise Failure(f"{kind!r} is no kind of tunnel", "write http, tcp or udp", USAGE)
    body: dict[str, Any] = {"kind": kind, "allow": allow or []}
    if place and kind == "http":
        body["name"] = place
    elif place:
        if not (place.isascii() and place.isdigit() and 1 <= int(place[:6]) <= 65535):
            raise Failure(f"{place!r} is not a port", "write a number from 1 to 65535", USAGE)
        body["port"] = int(place)
    if token:
        body["token"] = token
    with connect() as edge:
        word = wishes.passcode_of(passcode, passcode_stdin)
        if word:
            body["passcode"] = word
        made = edge.post("/reservations", body)
    if json:
        write_json(made)
    else:
        write([made["address"]])


def remove_reservation(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RESERVATION",
            help="Its id, address, name or port.",
            autocompletion=completion.reservations,
        ),
    ],
    json: Json = False,
) -> None:
    """Give a name or port up. A live tunnel goes on until its client ends it."""
    with connect() as edge:
        listed: list[dict[str, Any]] = edge.get("/reservations")
        found = [x for x in listed if what in (x["id"], x["address"], x["name"], str(x["port"]))]
        if not found:
            raise Failure(f"{what} is not reserved", "homeport reservations list", NOT_FOUND)
        if len(found) > 1:
            ids = ", ".join(item["id"] for item in found)
            raise Failure(f"{what} is more than one reservation", f"name one by its id: {ids}", USAGE)
        edge.delete(f"/reservations/{found[0]['id']}")
    if json:
        write_json(found[0])
    else:
        write([f"{found[0]['address']} is not reserved any more."])


def rotate_token(
    id: Annotated[str, typer.Argument(metavar="ID", help="As `token list` shows it.")],
    grace: Annotated[
        str, typer.Option("--grace", metavar="TIME", help="How long the old one holds: 10m, 1h, 1d, 0.")
    ] = GRACE,
    json: Json = False,
) -> None:
    """Replace a token, shown this once; clients that are connected get the new one by themselves.

    It is alone on the last line.
    """
    seconds = _seconds(grace)
    with connect() as edge:
        made = edge.post(f"/tokens/{quote(id, safe='')}/rotate", {"grace_s": seconds})
    if json:
        write_json(made)
        return
    write(
        [
            f"The old token holds for {words.duration(seconds)} more. Connected clients switch by themselves;",
            "give the new one to the others, with homeport init --token-stdin:",
            made["token"],
        ]
    )


def _seconds(text: str) -> int:
    match = _SPAN.fullmatch(text.strip())
    if not match:
        raise Failure(f"{text!r} is no length of time", "write it as 10m, 1h or 1d", USAGE)
    return int(match[1]) * _UNITS[match[2]]
