"""The command that opens the editor."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import quote

import typer

from homeportd.cli import completion
from homeportd.cli.api_types import Editor
from homeportd.cli.clients.agent_client import connect
from homeportd.cli.options.arguments import Json
from homeportd.cli.output.terminal import clean, write, write_json
from homeportd.cli.registry import Commands

commands = Commands(position=26)

START_S: Final = 75.0  # seconds; the agent gives the editor sixty

RepoArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[REPO]", help="A repo, by its name in homeport repos.", autocompletion=completion.repos
    ),
]


@commands.command("open", "homeport open shop", "homeport open")
def open_editor(repo: RepoArgument = None, json: Json = False) -> None:
    """Start the editor and print the address that opens a repo in it; the folder of repos without one."""
    query = f"repo={quote(repo, safe='')}" if repo is not None else ""
    with connect(START_S) as agent:
        editor: Editor = agent.post(f"/editor/start?{query}")
    if json:
        write_json(editor)
    else:
        write([clean(editor["url"] or "")])
