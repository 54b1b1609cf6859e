"""The commands for the settings that may be changed at run time."""

from __future__ import annotations

import json as json_module
import sys
from typing import Annotated, Any, Final

import typer

from homeportd.cli.clients.agent_client import connect
from homeportd.cli.errors import USAGE, Failure
from homeportd.cli.git_types import SshKey
from homeportd.cli.options.arguments import Json
from homeportd.cli.output.terminal import Cell, Column, clean, lay_out, screen, write, write_json
from homeportd.cli.registry import Group

commands = Group(
    "settings",
    "Settings that change without bin/site.",
    alone="list",
    position=85,
)

SECRETS: Final = ("token",)  # the last part of a setting's name, whose value is asked for
_COLUMNS: Final = (Column("SETTING", 9), Column("VALUE", 8, least=10))

Name = Annotated[str, typer.Argument(metavar="NAME", help="Such as git.name.")]
Value = Annotated[
    str | None,
    typer.Argument(metavar="VALUE", help='Left out for a token, which is asked for; "" removes it.'),
]
Stdin = Annotated[bool, typer.Option("--stdin", help="The value from standard input.")]


@commands.command("list", "homeport settings list")
def list_settings(json: Json = False) -> None:
    """List the settings. Of a token it is said whether there is one."""
    with connect() as agent:
        found: dict[str, dict[str, Any]] = agent.get("/settings")
    if json:
        write_json(found)
        return
    rows = [
        (Cell(f"{section}.{name}"), Cell(_text(value)))
        for section, values in found.items()
        for name, value in values.items()
    ]
    write(lay_out(_COLUMNS, rows, screen()))


@commands.command("get", "homeport settings get git.name")
def get_setting(name: Name, json: Json = False) -> None:
    """Print one setting."""
    with connect() as agent:
        value = _find(agent.get("/settings"), name)
    write([json_module.dumps(value) if json else clean(_text(value))])


@commands.command(
    "set",
    'homeport settings set git.name "Ada Lovelace"',
    "homeport settings set github.token",
    "homeport settings set github.token --stdin < token.txt",
)
def set_setting(name: Name, value: Value = None, *, stdin: Stdin = False, json: Json = False) -> None:
    """Change one setting."""
    section, _, field = name.partition(".")
    with connect() as agent:
        before = _find(agent.get("/settings"), name)
        if value and field in SECRETS:
            raise Failure(
                f"{name} takes no value here: other users can read what is on a command line",
                f"homeport settings set {name}, and you are asked; this one is in the shell's history: make another",
                USAGE,
            )
        if stdin or (value is None and field not in SECRETS and not sys.stdin.isatty()):
            value = sys.stdin.read(4096).strip()
        elif value is None and field in SECRETS:
            value = _ask(name)
        elif value is None:
            raise Failure(f"{name} needs a value", f"homeport settings set {name} VALUE", USAGE)
        sent: object = None if value == "" else value
        if isinstance(before, int) and field not in SECRETS and sent is not None:
            try:
                sent = json_module.loads(value)  # true, false, or a number
            except ValueError:
                sent = value
        found = agent.put("/settings", {section: {field: sent}})
    write_json(found) if json else write([f"{name}: {clean(_text(_find(found, name)))}"])


@commands.command("ssh-key", "homeport settings ssh-key")
def show_ssh_key(json: Json = False) -> None:
    """Print the public half of the SSH key for git, made where there is none, and the pages where it belongs."""
    with connect() as agent:
        found: SshKey = agent.post("/git/ssh-key")
    if json:
        write_json(found)
        return
    if found["public_key"] is None:
        raise Failure(
            "the agent's user has SSH keys elsewhere: in ~/.ssh/config, or an agent of ssh",
            "ssh-add -L shows those of the agent of ssh",
        )
    sys.stderr.write(
        "Add it at one of these pages:\n" + "".join(f"  {clean(page)}\n" for page in found["pages"])
    )
    write([clean(found["public_key"])])


def _find(found: dict[str, dict[str, Any]], name: str) -> Any:
    section, _, field = name.partition(".")
    if field not in found.get(section, {}):
        raise Failure(f"there is no setting {name[:100]!r}", "homeport settings list", USAGE)
    return found[section][field]


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def _ask(name: str) -> str:
    import getpass  # for a rare path

    if not sys.stdin.isatty():
        raise Failure(
            f"there is no terminal to ask for {name}", f"homeport settings set {name} --stdin", USAGE
        )
    return getpass.getpass(f"{name}: ").strip()
