"""The commands that let a browser into the dashboard: a link for one, or its password."""

from __future__ import annotations

from typing import Annotated

import typer

from homeportd.cli.api_types import LoginLink
from homeportd.cli.clients.agent_client import connect
from homeportd.cli.options import passwords
from homeportd.cli.options.arguments import Json
from homeportd.cli.output import phrases
from homeportd.cli.output.terminal import write, write_json
from homeportd.cli.registry import Commands

commands = Commands(position=40)


@commands.command("login-link", "homeport login-link")
def login_link(json: Json = False) -> None:
    """Print a link that logs one browser in to the dashboard."""
    with connect() as agent:
        link: LoginLink = agent.post("/login-links")
    if json:
        write_json(link)
        return
    end = phrases.moment(link["expires_at"], phrases.local_now())
    write([f"This link logs one browser in to the dashboard, once, until {end}.", link["url"]])


@commands.command("password", "homeport password", "homeport password --password-stdin < password.txt")
def password(
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read it from standard input.")
    ] = False,
    json: Json = False,
) -> None:
    """Set the password of the dashboard; asks for it."""
    with connect() as agent:
        agent.get("/health")  # before a person types a password for nothing
        new = passwords.from_stdin() if password_stdin else passwords.ask("the dashboard")
        agent.put("/password", {"password": new})
    if json:
        write_json({"set": True})
    else:
        write(["The dashboard has this password now."])
