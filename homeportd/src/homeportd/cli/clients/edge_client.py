"""The edge's API: over the agent's socket where this machine is the edge, else over HTTPS with an owner's token.

A token for tunnels does not open the API: who takes a laptop's token can use its tunnels, not rule the edge.
"""

from __future__ import annotations

import http.client
import os
import socket
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from homeportd.cli.clients import installation, own_edge
from homeportd.cli.clients.agent_client import TIMEOUT, Agent, is_closed, owner_of
from homeportd.cli.clients.installation import Installation
from homeportd.cli.errors import NOT_FOUND, REFUSED, REQUEST, TAKEN, TOKEN, UNREACHABLE, Failure
from homeportd.cli.tunnel_failures import attempt
from homeportd.tunnels import account as accounts
from homeportd.tunnels import local_edge, trust
from homeportd.tunnels.account import Account
from homeportd.tunnels.address import LOOPBACK, is_local
from homeportd.tunnels.errors import TunnelError
from homeportd.tunnels.local_edge import LocalEdge

_HOW: Final = (
    "make a token on the edge (homeport token create NAME), then here: homeport init --api-token-stdin"
)

_CODES: Final = {409: TAKEN, 422: REQUEST}
_NOWHERE: Final = Installation(Path(os.devnull), Path(os.devnull))  # the socket of an agent of this machine


def _to_loopback(address: tuple[str, int], timeout: float, source_address: Any = None) -> socket.socket:
    return socket.create_connection((LOOPBACK[0], address[1]), timeout)


class _Bearer(http.client.HTTPConnection):
    """HTTP with a token in each request."""

    api_token = ""

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **more: Any) -> None:
        """As of http.client."""
        super().request(
            method, url, body, {**(headers or {}), "Authorization": f"Bearer {self.api_token}"}, **more
        )


class _BearerTls(_Bearer, http.client.HTTPSConnection):
    """The same over TLS."""


class EdgeAgent(Agent):
    """The agent of another machine, the edge."""

    def __init__(self, account: Account, timeout: float = TIMEOUT) -> None:
        super().__init__(_NOWHERE, timeout)
        self._url = account.api_url or ""
        parts = urlsplit(self._url)
        host = parts.hostname or ""
        if parts.scheme == "https":
            context = trust.context(account.ca)
            made: _Bearer = _BearerTls(host, parts.port, timeout=timeout, context=context)
        else:
            made = _Bearer(host, parts.port, timeout=timeout)
        made.api_token = account.api_token or ""
        if is_local(host):  # RFC 6761: not every resolver knows
            made._create_connection = _to_loopback  # type: ignore[attr-defined]
        self._connection = made  # type: ignore[assignment]

    def _request(self, method: str, path: str, body: object) -> Any:
        try:
            return super()._request(method, path, body)
        except Failure as failure:
            if "token" in failure.detail and failure.code == REFUSED:
                raise Failure(failure.detail, _HOW, TOKEN) from failure
            raise

    def _unreachable(self, error: OSError) -> Failure:
        reason = "time-out" if isinstance(error, TimeoutError) else error.strerror or str(error)
        return Failure(
            f"the edge's API at {self._url} cannot be reached ({reason})",
            "check api_url in ~/.config/homeport/edge.toml, and that the edge is up",
            UNREACHABLE,
        )


def is_edge() -> Installation | None:
    """This machine's agent, if it is an edge."""
    try:
        place = installation.find()
        with place.config.open("rb") as file:
            return place if "edge" in tomllib.load(file) else None
    except (Failure, OSError, ValueError):
        return None


def is_client() -> bool:
    """Whether this user was once given an edge, by `homeport init`."""
    return accounts.path().exists()


def connect(timeout: float = TIMEOUT) -> Agent:
    """The edge's API: of the edge that this user was given with an owner's token, else of this machine's own.

    Raises Failure when there is no way to it.
    """
    place, account = is_edge(), _account()
    if place is not None and (account is None or account.local or not account.api_token):
        if is_closed(place.cli_socket) and (edge := local_edge.find()) is not None:
            raise _not_trusted(edge, place, account)
        return Agent(place, timeout)
    account = account or attempt(accounts.load)
    if not account.api_token or not account.api_url:
        raise Failure(
            "this machine is not the edge, and has no owner's token for the edge's API",
            _HOW,
            NOT_FOUND,
        )
    return EdgeAgent(account, timeout)


def _account() -> Account | None:
    try:
        return accounts.load()
    except TunnelError:
        return None


def _not_trusted(edge: LocalEdge, place: Installation, account: Account | None) -> Failure:
    owner = owner_of(place.cli_socket)
    if account is None or account.url != edge.url:
        return own_edge.not_trusted(edge, place.cli_socket)
    return Failure(
        f"the API of this machine's edge is {owner}'s, and this user has no owner's token for it",
        f"as {owner}: homeport token create NAME; then here: homeport init --api-token-stdin",
        NOT_FOUND,
    )


@contextmanager
def asking(timeout: float = TIMEOUT) -> Iterator[Agent]:
    """The same for `with`: a refusal that is about a name, port, network or domain has its own exit code."""
    try:
        with connect(timeout) as edge:
            yield edge
    except Failure as failure:
        code = _CODES.get(failure.status, failure.code)
        raise Failure(failure.detail, failure.fix, code, failure.status) from failure


def api_url_of(pattern: str) -> str:
    """Where the API is, from the pattern of the edge's names."""
    return pattern.replace("{name}", "admin")


def with_api_token(account: Account, token: str) -> Account:
    """The account with an owner's token."""
    return replace(account, api_token=token)
