"""Checks of this user's tunnels: the account, the edge, the token, the daemon."""

from __future__ import annotations

from typing import Final

from homeportd.cli.clients import daemon_client, installation, own_edge
from homeportd.cli.clients.agent_client import is_closed
from homeportd.cli.doctor.check import Check, Machine, Step
from homeportd.cli.errors import Failure
from homeportd.cli.output import phrases
from homeportd.tunnels import account as accounts
from homeportd.tunnels import local_edge
from homeportd.tunnels import proxy as proxies
from homeportd.tunnels.account import Account
from homeportd.tunnels.errors import TunnelError
from homeportd.tunnels.local_edge import LocalEdge
from homeportd.tunnels.probe import probe


def client(_machine: Machine) -> list[Check]:
    """Whether this user's edge takes its token, and what the daemon does. Empty where this user has no edge."""
    if not accounts.path().exists():
        edge = local_edge.find()
        return [] if edge is None else [_own_edge(edge)]
    try:
        account = accounts.load()
    except TunnelError as error:
        return [Check("account", "fail", error.detail, error.fix)]
    found = [Check("account", "ok", f"{accounts.path()}, for {account.url}"), *_proxy(account)]
    try:
        welcome = probe(account).welcome
        found.append(Check("edge", "ok", f"{welcome.edge} takes the token; names are {welcome.url}"))
        if welcome.token_ends is not None:
            found.append(_ending(welcome.token_ends))
    except TunnelError as error:
        found.append(Check("edge", "fail", error.detail, error.fix))
    return [*found, _daemon()]


def _proxy(account: Account) -> list[Check]:
    """The proxy on the way to the edge, if there is one; a wrong one is the edge's check to report."""
    try:
        proxy = proxies.find(account.address, account.proxy)
    except ValueError:
        return []
    if proxy is None:
        return []
    named = "kept by homeport init" if proxy.source == proxies.STORED else f"of {proxy.source}"
    return [Check("proxy", "ok", f"{proxy}, {named}{', with a password' if proxy.password else ''}")]


def _own_edge(edge: LocalEdge) -> Check:
    """The check of a user without an account, on a machine that is an edge."""
    try:
        socket = installation.find().cli_socket
    except Failure as failure:
        return Check("account", "fail", failure.detail, failure.fix)
    if is_closed(socket):
        refusal = own_edge.not_trusted(edge, socket)
        return Check("account", "note", refusal.detail, refusal.fix)
    return Check("account", "ok", f"{edge.url}, this machine's own edge: the first tunnel connects this user")


def _ending(ends: str) -> Check:
    return Check(
        "token",
        "note",
        f"it was replaced, and ends at {phrases.moment(ends, phrases.local_now())}",
        phrases.INIT_NEWER,
    )


def _daemon() -> Check:
    try:
        tunnels = daemon_client.status()["tunnels"]
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


STEPS: Final = (Step(100, "edge", client, needs_settings=False),)
