"""This user's account with an edge; without one, on a machine that is an edge, its agent gives a token.

The agent trusts its own user and root, by the peer credentials of its socket; other users get an error with its fix.
"""

from __future__ import annotations

import os
import pwd
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from homeportd.accounts import user_label
from homeportd.cli.clients import installation
from homeportd.cli.clients.agent_client import Agent, is_closed, owner_of
from homeportd.cli.errors import NOT_FOUND, Failure
from homeportd.cli.tunnel_failures import attempt, failure
from homeportd.tunnels import account as accounts
from homeportd.tunnels import local_edge
from homeportd.tunnels.account import Account
from homeportd.tunnels.errors import Reason, TunnelError
from homeportd.tunnels.local_edge import LocalEdge

MAX_NAME: Final = 64  # characters of a token's name, as the agent has it
_UNFIT: Final = re.compile(r"[^A-Za-z0-9 ._@:-]")  # for a token's name


def account() -> Account:
    """This user's account, or a new one with this machine's own edge. Raises Failure."""
    if not accounts.path().exists():
        edge = local_edge.find()
        if edge is not None:
            return _connect(edge)
    return attempt(accounts.load)


def connected() -> Account:
    """The account with this machine's own edge, with a new token where the edge refuses the old one. Raises Failure."""
    from homeportd.tunnels.probe import probe  # asyncio, pydantic: too slow for other commands

    found = account()
    try:
        probe(found)
    except TunnelError as error:
        if error.reason is not Reason.TOKEN or not found.local:
            raise failure(error) from error
        return _renewed(found)
    return found


def not_trusted(edge: LocalEdge, socket: Path) -> Failure:
    """The Failure for a user whom the agent of this machine's edge does not trust."""
    owner = owner_of(socket)
    trusted = owner if owner == "root" else f"{owner} or root"
    return Failure(
        f"this user has no edge yet; that of this machine, {edge.url}, is {owner}'s",
        f"as {trusted}: homeport token create NAME --scope tunnel; then here: homeport init --edge {edge.url}",
        NOT_FOUND,
    )


def _connect(edge: LocalEdge) -> Account:
    if is_closed(socket := installation.find().cli_socket):
        raise not_trusted(edge, socket)
    _check_home()
    made: dict[str, Any] = {}

    def make() -> Account:
        made.update(_new_token())
        return Account(edge.url, made["token"], edge.ca, local=True)

    try:
        found = attempt(lambda: accounts.store_first(make))
    except OSError as error:
        if made:
            _revoke(made["id"])
        raise _unwritable(error) from error
    if made:
        sys.stderr.write(f"note: this user is now connected with this machine's edge, {edge.url}\n")
    return found


def _renewed(old: Account) -> Account:
    made = _new_token()
    try:
        stored = accounts.replace_token(old.token, made["token"])
    except OSError as error:
        _revoke(made["id"])
        raise _unwritable(error) from error
    if not stored:  # another command was quicker
        _revoke(made["id"])
        return attempt(accounts.load)
    return replace(old, token=made["token"])


def _new_token() -> dict[str, Any]:
    """A token for tunnels of this machine's agent: its `id` and the `token` itself. Raises Failure."""
    name = _UNFIT.sub("-", f"this machine: {user_label(os.geteuid())}")[:MAX_NAME]
    with Agent(installation.find()) as agent:
        made: dict[str, Any] = agent.post("/tokens", {"name": name, "scope": "tunnel"})
    return made


def _revoke(token_id: str) -> None:
    with Agent(installation.find()) as agent:
        agent.delete(f"/tokens/{token_id}")


def _check_home() -> None:
    """Raises Failure where root would leave a file in the home of another user, who could not read it."""
    if os.geteuid() != 0:
        return
    file = accounts.path()
    folder = next(parent for parent in file.parents if parent.exists())
    uid = folder.stat().st_uid
    if uid != 0:
        raise Failure(
            f"this is root, and {file} would be in a folder of {owner_of(folder)}",
            f"put HOME={pwd.getpwuid(0).pw_dir} before the command, or run it as that user",
        )


def _unwritable(error: OSError) -> Failure:
    return Failure(
        f"cannot write {accounts.path()}: {error.strerror}", "check that folder's owner, mode and space"
    )
