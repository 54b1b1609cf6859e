"""Commands for people's own domains on an edge."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from homeportd.cli import completion
from homeportd.cli.clients.edge_client import asking, connect
from homeportd.cli.errors import DOMAIN
from homeportd.cli.options.arguments import Json
from homeportd.cli.output.terminal import Cell, Column, Style, lay_out, screen, write, write_json
from homeportd.clock import from_text

LOOK_S: Final = 40.0  # the edge asks DNS servers, some of which are slow
_STYLES: Final = {"issued": Style.GREEN, "verified": Style.GREEN, "error": Style.RED, "pending": Style.AMBER}
_COLUMNS: Final = (
    Column("DOMAIN", 9, must=True),
    Column("NAME", 6),
    Column("STATE", 8, must=True),
    Column("UNTIL", 3),
    Column("WHY", 5, least=16),
)


Domain = Annotated[
    str, typer.Argument(metavar="DOMAIN", help="Such as app.example.org.", autocompletion=completion.domains)
]


def list_domains(json: Json = False) -> None:
    """List your own domains and how far they are."""
    with connect() as edge:
        found: list[dict[str, Any]] = edge.get("/domains")
    if json:
        write_json(found)
    elif not found:
        write(["No domains yet. Add one:", "  homeport domains add app.example.org myapp"])
    else:
        write(lay_out(_COLUMNS, [_row(item) for item in found], screen()))


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
    with asking(LOOK_S) as edge:
        made = edge.post("/domains", {"domain": domain, "name": name})
    _report(made, json)


def check_domain(domain: Domain, json: Json = False) -> None:
    """Look at a domain's record and certificate now.

    A refused certificate is asked for again. Exit code 12 when the record does not lead to the edge, or there is no
    certificate for some reason.
    """
    with asking(LOOK_S) as edge:
        found = edge.post(f"/domains/{quote(domain, safe='')}/check")
    _report(found, json)
    if found["state"] in ("pending", "error"):
        raise typer.Exit(DOMAIN)


def remove_domain(domain: Domain, json: Json = False) -> None:
    """Take a domain off its name. Its visitors get 404 from then on."""
    with asking(LOOK_S) as edge:
        path = f"/domains/{quote(domain, safe='')}"
        found = edge.get(path)
        edge.delete(path)
    if json:
        write_json(found)
    else:
        write([f"{found['domain']} leads nowhere any more. Its DNS record can go too."])


def _row(item: dict[str, Any]) -> tuple[Cell, ...]:
    certificate, why = item["certificate"], item["error"]
    return (
        Cell(item["domain"], Style.BOLD),
        Cell(item["name"]),
        Cell(item["state"], _STYLES.get(item["state"], Style.PLAIN)),
        Cell(f"{from_text(certificate['not_after']):%Y-%m-%d}" if certificate else ""),
        Cell(why["detail"] if why else ""),
    )


def _report(item: dict[str, Any], json: bool) -> None:
    if json:
        write_json(item)
        return
    state = "in error" if item["state"] == "error" else item["state"]
    lines = [f"{item['domain']} is {state}{_meaning(item)}"]
    why = item["error"]
    said = why["detail"] if why else None
    if item["note"] and item["note"] != said:
        lines.append(f"Note: {item['note']}.")
    if said:
        lines.append(f"{said}.")
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


def _meaning(item: dict[str, Any]) -> str:
    certificate = item["certificate"]
    match item["state"]:
        case "verified" if item["url"].startswith("https:"):
            return ": its record leads here; a certificate is on its way."
        case "verified":
            return f": {item['url']} works. This edge has no TLS, so there is no certificate to get."
        case "issued":
            end = f"{from_text(certificate['not_after']):%Y-%m-%d}"
            return f": {item['url']} works, with a certificate of {certificate['issuer']} until {end}."
    return "."
