"""The commands for tokens: of the agent's API, and of clients of an edge."""

from __future__ import annotations

import re
from typing import Annotated, Final
from urllib.parse import quote

import typer

from homeportd.cli.api_types import Token
from homeportd.cli.clients.agent_client import Agent, connect
from homeportd.cli.errors import TUNNEL_EXIT_CODES, USAGE, Failure
from homeportd.cli.options.arguments import Json
from homeportd.cli.output import phrases, tables
from homeportd.cli.output.terminal import screen, write, write_json
from homeportd.cli.registry import Group

commands = Group(
    "token", "Make, list, replace and revoke tokens.", alone="list", position=45, exit_codes=TUNNEL_EXIT_CODES
)

GRACE: Final = "1h"
MAX_GRACE_S: Final = 7 * 86400  # as the agent has it, which takes longer to import
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@:-]{0,63}")  # as the agent has it
_SPAN: Final = re.compile(r"([0-9]{1,9})(s|m|h|d)?")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, None: 1}

OfEdge = Annotated[
    bool, typer.Option("--edge", help="Those of the edge, where this machine has an agent of its own.")
]


@commands.command(
    "create",
    "homeport token create ci",
    "TOKEN=$(homeport token create ci | tail -n 1)",
    "homeport token create laptop --scope tunnel",
    "homeport token create phone --scope tunnel --edge",
)
def create_token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for, such as ci.")],
    scope: Annotated[
        str,
        typer.Option(
            "--scope", metavar="owner|tunnel", help="The whole API, or the tunnels of an edge alone."
        ),
    ] = "owner",
    *,
    edge: OfEdge = False,
    json: Json = False,
) -> None:
    """Make a token, which is shown this once.

    For the API, or for clients of this edge. It is alone on the last line.
    """
    if scope not in ("owner", "tunnel"):
        raise Failure(f"{scope!r} is no scope", "write owner or tunnel", USAGE)
    if not _NAME.fullmatch(name):
        raise Failure(
            f"{name!r} cannot be the name of a token",
            "begin with a letter or digit; then those, spaces and . _ @ : - too, 64 characters at most",
            USAGE,
        )
    with _agent(edge) as agent:
        made = agent.post("/tokens", {"name": name, "scope": scope})
    if json:
        write_json(made)
        return
    use = "Send it as Authorization: Bearer …" if scope == "owner" else "Give it to homeport init --edge …"
    write([f"Keep this token: it is not shown again. {use}", made["token"]])


@commands.command("list", "homeport token list")
def list_tokens(edge: OfEdge = False, json: Json = False) -> None:
    """List the tokens, by their first characters."""
    with _agent(edge) as agent:
        tokens: list[Token] = agent.get("/tokens")
    if json:
        write_json(tokens)
    else:
        write(tables.token_table(tokens, screen(), phrases.local_now()))


@commands.command("revoke", "homeport token revoke ID")
def revoke_token(
    id: Annotated[str, typer.Argument(metavar="ID", help="As `token list` shows it.")],
    edge: OfEdge = False,
    json: Json = False,
) -> None:
    """Revoke a token: who uses it is refused from now on."""
    with _agent(edge) as agent:
        agent.delete(f"/tokens/{quote(id, safe='')}")
    if json:
        write_json({"id": id, "revoked": True})
    else:
        write([f"Token {id} is revoked."])


@commands.command(
    "rotate", "homeport token rotate ID --grace 10m", "homeport token rotate ID --edge | tail -n 1"
)
def rotate_token(
    id: Annotated[str, typer.Argument(metavar="ID", help="As `token list` shows it.")],
    grace: Annotated[
        str, typer.Option("--grace", metavar="TIME", help="How long the old one holds: 10m, 1h, 1d, 0.")
    ] = GRACE,
    *,
    edge: OfEdge = False,
    json: Json = False,
) -> None:
    """Replace a token; the new one is shown this once.

    It is alone on the last line. Clients of tunnels that are connected get it by themselves, also one that a thief
    runs: a token that was stolen is revoked, not replaced.
    """
    seconds = _seconds(grace)
    with _agent(edge) as agent:
        made = agent.post(f"/tokens/{quote(id, safe='')}/rotate", {"grace_s": seconds})
    if json:
        write_json(made)
        return
    lines = [
        f"The old token holds for {phrases.duration(seconds)} more."
        if seconds
        else "The old token has ended."
    ]
    if made["scope"] == "tunnel":
        lines += [
            "Connected clients switch by themselves; give the others the new one: homeport init --token-stdin"
        ]
    write([*lines, made["token"]])


def _seconds(text: str) -> int:
    match = _SPAN.fullmatch(text.strip())
    if not match:
        raise Failure(f"{text!r} is no length of time", "write it as 10m, 1h or 1d", USAGE)
    seconds = int(match[1]) * _UNITS[match[2]]
    if seconds > MAX_GRACE_S:
        raise Failure(
            f"{text!r} is too long for two tokens to hold", f"write {MAX_GRACE_S // 86400}d at most", USAGE
        )
    return seconds


def _agent(edge: bool) -> Agent:
    """The agent that keeps the tokens: this machine's; without one, or with `edge`, the edge's. Raises Failure."""
    from homeportd.cli.clients import edge_client  # ssl: of no use to most

    if edge:
        return edge_client.connect()
    try:
        return connect()
    except Failure as none:
        if not edge_client.is_client():
            raise none from None
        return edge_client.connect()
