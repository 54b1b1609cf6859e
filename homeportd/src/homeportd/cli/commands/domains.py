"""The commands for people's own domains on an edge."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import quote

import typer

from homeportd.cli import completion
from homeportd.cli.api_types import Domain
from homeportd.cli.clients.edge_client import asking, connect
from homeportd.cli.errors import DOMAIN, TUNNEL_EXIT_CODES
from homeportd.cli.options.arguments import Json
from homeportd.cli.output.terminal import Cell, Column, Style, lay_out, screen, write, write_json
from homeportd.cli.registry import Group
from homeportd.clock import from_text

commands = Group(
    "domains",
    "Let your own domains lead to reserved names.",
    alone="list",
    position=90,
    exit_codes=TUNNEL_EXIT_CODES,
)

CHECK_S: Final = 40.0  # seconds: the edge asks DNS servers, some of which are slow
_STYLES: Final = {"issued": Style.GREEN, "verified": Style.GREEN, "error": Style.RED, "pending": Style.AMBER}
_COLUMNS: Final = (
    Column("DOMAIN", 9, must=True),
    Column("NAME", 6),
    Column("STATE", 8, must=True),
    Column("UNTIL", 3),
    Column("WHY", 5, least=16),
)


DomainArgument = Annotated[
    str, typer.Argument(metavar="DOMAIN", help="Such as app.example.org.", autocompletion=completion.domains)
]


@commands.command("list", "homeport domains list", "homeport domains list --json")
def list_domains(json: Json = False) -> None:
    """List your own domains and how far they are."""
    with connect() as edge:
        found: list[Domain] = edge.get("/domains")
    if json:
        write_json(found)
    elif not found:
        write(["No domains yet. Add one:", "  homeport domains add app.example.org myapp"])
    else:
        write(lay_out(_COLUMNS, [_row(item) for item in found], screen()))


@commands.command("add", "homeport reservations add http myapp", "homeport domains add app.example.org myapp")
def add_domain(
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="Such as app.example.org.")],
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="The reserved name it leads to.", autocompletion=completion.names
        ),
    ],
    json: Json = False,
) -> None:
    """Let a domain lead to a reserved name.

    Prints the DNS record to make.
    """
    with asking(CHECK_S) as edge:
        made: Domain = edge.post("/domains", {"domain": domain, "name": name})
    _report(made, json)


@commands.command("check", "homeport domains check app.example.org")
def check_domain(domain: DomainArgument, json: Json = False) -> None:
    """Look at a domain's record and certificate now.

    A refused certificate is asked for again. Exit code 12 when the record does not lead to the edge, or there is no
    certificate for some reason.
    """
    with asking(CHECK_S) as edge:
        found: Domain = edge.post(f"/domains/{quote(domain, safe='')}/check")
    _report(found, json)
    if found["state"] in ("pending", "error"):
        raise typer.Exit(DOMAIN)


@commands.command("remove", "homeport domains remove app.example.org")
def remove_domain(domain: DomainArgument, json: Json = False) -> None:
    """Take a domain off its name. Its visitors get 404 from then on."""
    with asking(CHECK_S) as edge:
        path = f"/domains/{quote(domain, safe='')}"
        found: Domain = edge.get(path)
        edge.delete(path)
    if json:
        write_json(found)
    else:
        write([f"{found['domain']} leads nowhere any more. Its DNS record can go too."])


def _row(item: Domain) -> tuple[Cell, ...]:
    certificate, why = item["certificate"], item["error"]
    return (
        Cell(item["domain"], Style.BOLD),
        Cell(item["name"]),
        Cell(item["state"], _STYLES.get(item["state"], Style.PLAIN)),
        Cell(f"{from_text(certificate['not_after']):%Y-%m-%d}" if certificate else ""),
        Cell(why["detail"] if why else ""),
    )


def _report(item: Domain, json: bool) -> None:
    if json:
        write_json(item)
        return
    state = "in error" if item["state"] == "error" else item["state"]
    lines = [f"{item['domain']} is {state}{_meaning(item)}"]
    why = item["error"]
    detail = why["detail"] if why else None
    if item["note"] and item["note"] != detail:
        lines.append(f"Note: {item['note']}.")
    if detail:
        lines.append(f"{detail}.")
    if item["state"] == "pending":
        first, *others = [f"  {x['name']}  {x['type']}  {x['value']}" for x in item["records"]]
        lines += ["", "Make this DNS record:", first]
        if others:
            lines += ["Where your DNS provider cannot have that one:", *others]
        again = f"homeport domains check {item['domain']}"
        lines += ["", f"The edge looks for it by itself. Not to wait: {again}"]
    elif why:
        lines.append(f"fix: {why['fix']}")
    write(lines)


def _meaning(item: Domain) -> str:
    certificate = item["certificate"]
    match item["state"]:
        case "verified" if item["url"].startswith("https:"):
            return ": its record leads here; a certificate is on its way."
        case "verified":
            return f": {item['url']} works. This edge has no TLS, so there is no certificate to get."
        case "issued" if certificate:
            end = f"{from_text(certificate['not_after']):%Y-%m-%d}"
            return f": {item['url']} works, with a certificate of {certificate['issuer']} until {end}."
    return "."
