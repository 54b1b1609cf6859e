"""The hops of a tunnel's client: its account, the edge, the daemon."""

from __future__ import annotations

from pathlib import Path

from homeportd.cli.clients import daemon_client, installation, own_edge
from homeportd.cli.clients.agent_client import is_closed
from homeportd.cli.commands.accounts import verify
from homeportd.cli.doctor.checks import Check
from homeportd.cli.errors import Failure
from homeportd.cli.output import phrases
from homeportd.tunnels import account as accounts
from homeportd.tunnels import local_edge, state
from homeportd.tunnels.errors import Problem
from homeportd.tunnels.local_edge import LocalEdge


def client() -> list[Check]:
    """Whether this user's edge takes its token, and what the daemon does. Empty where this user has no edge."""
    if not accounts.path().exists():
        edge = local_edge.find()
        return [] if edge is None else [_own(edge)]
    try:
        account = accounts.load()
    except Problem as problem:
        return [Check("account", "fail", problem.detail, problem.fix)]
    found = [Check("account", "ok", f"{accounts.path()}, for {account.url}")]
    try:
        welcome, _ = verify(account)
        found.append(Check("edge", "ok", f"{welcome.edge} takes the token; names are {welcome.url}"))
        if welcome.token_ends is not None:
            found.append(_ending(welcome.token_ends))
    except Problem as problem:
        found.append(Check("edge", "fail", problem.detail, problem.fix))
    return [*found, _daemon()]


def _own(edge: LocalEdge) -> Check:
    """What holds for a user without an account, on a machine that is an edge."""
    try:
        socket = installation.find().cli_socket
    except Failure as failure:
        return Check("account", "fail", failure.detail, failure.fix)
    if is_closed(socket):
        stranger = own_edge.stranger(edge, socket)
        return Check("account", "note", stranger.detail, stranger.fix)
    return Check("account", "ok", f"{edge.url}, this machine's own edge: the first tunnel connects this user")


def folder() -> Path:
    """Where the daemon keeps its tunnels and its log."""
    return state.Files.of_user().folder


def _ending(ends: str) -> Check:
    return Check(
        "token",
        "note",
        f"it was replaced, and ends at {phrases.moment(ends, phrases.local_now())}",
        phrases.INIT_NEWER,
    )


def _daemon() -> Check:
    try:
        tunnels = daemon_client.ask({"do": "status"})["tunnels"]
    except daemon_client.NoDaemon as failure:
        return Check(
            "daemon", "note", f"{failure.detail}: tunnels are those of commands in terminals", failure.fix
        )
    except Failure as failure:
        return Check("daemon", "fail", failure.detail, failure.fix)
    away = [tunnel for tunnel in tunnels if tunnel["state"] != "live"]
    if not away:
        return Check("daemon", "ok", f"tunnels that work: {len(tunnels)}")
    first = away[0]["address"] or away[0]["target"]
    return Check(
        "daemon",
        "fail",
        f"{len(away)} of {len(tunnels)} tunnels do not work, such as {first}",
        "homeport daemon status",
    )
