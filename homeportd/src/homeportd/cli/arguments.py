"""Arguments and options that several commands have, checked the same way everywhere."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from homeportd.cli import words
from homeportd.cli.client import connect
from homeportd.cli.errors import Failure
from homeportd.cli.objects import Port

COMPLETION_TIMEOUT: Final = 0.3  # seconds; a shell waits for the answer with every Tab


def parse_port(text: str | int) -> int:
    """`5173` or `:5173`, as the lists write it; raises a usage error for what is no TCP port."""
    digits = str(text).strip().removeprefix(":")
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 5 else 0
    if not 1 <= number <= 65535:
        raise typer.BadParameter(f"{str(text)!r} is not a port: write a number from 1 to 65535, such as 5173")
    return number


def complete_port(incomplete: str) -> list[tuple[str, str]]:
    """The ports of the live agent, with their names; none when it does not answer at once."""
    try:
        with connect(COMPLETION_TIMEOUT) as agent:
            ports: list[Port] = agent.get("/ports")
    except Failure:
        return []
    return [
        (str(port["port"]), words.what(port)) for port in ports if str(port["port"]).startswith(incomplete)
    ]


PortArgument = Annotated[
    int,
    typer.Argument(
        parser=parse_port, metavar="PORT", help="The port, such as 5173.", autocompletion=complete_port
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the objects of the API as JSON.")]
