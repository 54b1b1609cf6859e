"""Arguments and options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

from homeportd.cli import completion


def parse_port(text: str | int) -> int:
    """A TCP port: `5173`, or `:5173` as the lists write it. Raises BadParameter."""
    digits = str(text).strip().removeprefix(":")
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 5 else 0
    if not 1 <= number <= 65535:
        raise typer.BadParameter(f"{str(text)!r} is not a port: write a number from 1 to 65535, such as 5173")
    return number


PortArgument = Annotated[
    int,
    typer.Argument(
        parser=parse_port, metavar="PORT", help="The port, such as 5173.", autocompletion=completion.ports
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
