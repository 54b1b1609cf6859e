"""The client of an edge's API: over the agent's socket on the edge itself, elsewhere over HTTPS with a token.

A token for tunnels does not open the API: a thief of a laptop's token can use its tunnels, and not control the edge.
"""

from __future__ import annotations

import http.client
import os
import socket
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from homeportd.cli.clients import installation, own_edge, proxied_connection
from homeportd.cli.clients.agent_client import TIMEOUT, Agent, is_closed, owner_of
from homeportd.cli.clients.installation import Installation
from homeportd.cli.errors import NOT_FOUND, REFUSED, REQUEST, TAKEN, TOKEN, UNREACHABLE, Failure
from homeportd.cli.tunnel_failures import attempt
from homeportd.tunnels import account as accounts
from homeportd.tunnels import local_edge, proxy_connect, trust
from homeportd.tunnels.account import Account
from homeportd.tunnels.address import LOOPBACK, EdgeAddress, is_local
from homeportd.tunnels.errors import TunnelError
from homeportd.tunnels.local_edge import LocalEdge

_FIX: Final = (
    "make a token on the edge (homeport token create NAME), then here: homeport init --api-token-stdin"
)

_CODES: Final = {409: TAKEN, 422: REQUEST}
_NO_INSTALLATION: Final = Installation(
    Path(os.devnull), Path(os.devnull)
)  # of which an EdgeAgent has no need


def _to_loopback(address: tuple[str, int], timeout: float, source_address: Any = None) -> socket.socket:
    return socket.create_connection((LOOPBACK[0], address[1]), timeout)


class _Bearer(http.client.HTTPConnection):
    """HTTP with a token in each request."""

    api_token = ""

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **more: Any) -> None:
        """Send a request; see http.client."""
        super().request(
            method, url, body, {**(headers or {}), "Authorization": f"Bearer {self.api_token}"}, **more
        )


class _BearerTls(_Bearer, http.client.HTTPSConnection):
    """HTTPS with a token in each request."""


class EdgeAgent(Agent):
    """The agent of an edge on another machine, over HTTP or HTTPS."""

    def __init__(self, account: Account, timeout: float = TIMEOUT) -> None:
        super().__init__(_NO_INSTALLATION, timeout)
        self._url = account.api_url or ""
        parts = urlsplit(self._url)
        host = parts.hostname or ""
        if parts.scheme == "https":
            context = trust.context(account.ca)
            made: _Bearer = _BearerTls(host, parts.port, timeout=timeout, context=context)
        else:
            made = _Bearer(host, parts.port, timeout=timeout)
        made.api_token = account.api_token or ""
        address = EdgeAddress.parse(self._url)
        way = attempt(lambda: proxy_connect.way(account, address))
        if way is not None:
            proxied_connection.lead(made, way, address)
        elif is_local(host):  # RFC 6761: not every resolver knows
            made._create_connection = _to_loopback  # type: ignore[attr-defined]
        self._connection = made  # type: ignore[assignment]

    def _request(self, method: str, path: str, body: object) -> Any:
        try:
            return super()._request(method, path, body)
        except Failure as failure:
            if "token" in failure.detail and failure.code == REFUSED:
                raise Failure(failure.detail, _FIX, TOKEN) from failure
            raise

    def _unreachable(self, error: OSError) -> Failure:
        reason = "time-out" if isinstance(error, TimeoutError) else error.strerror or str(error)
        return Failure(
            f"the edge's API at {self._url} cannot be reached ({reason})",
            "check api_url in ~/.config/homeport/edge.toml, and that the edge is up",
            UNREACHABLE,
        )


def is_edge() -> Installation | None:
    """This machine's agent, if this machine is an edge."""
    try:
        here = installation.find()
        with here.config.open("rb") as file:
            return here if "edge" in tomllib.load(file) else None
    except (Failure, OSError, ValueError):
        return None


def is_client() -> bool:
    """Whether this user has an account with an edge."""
    return accounts.path().exists()


def connect(timeout: float = TIMEOUT) -> Agent:
    """The API of the edge for which this user has an owner's token, else of this machine's own.

    Raises Failure when there is neither.
    """
    here, account = is_edge(), _account()
    if here is not None and (account is None or account.local or not account.api_token):
        if is_closed(here.cli_socket) and (edge := local_edge.find()) is not None:
            raise _not_trusted(edge, here, account)
        return Agent(here, timeout)
    account = account or attempt(accounts.load)
    if not account.api_token or not account.api_url:
        raise Failure(
            "this machine is not the edge, and has no owner's token for the edge's API",
            _FIX,
            NOT_FOUND,
        )
    return EdgeAgent(account, timeout)


def _account() -> Account | None:
    try:
        return accounts.load()
    except TunnelError:
        return None


def _not_trusted(edge: LocalEdge, here: Installation, account: Account | None) -> Failure:
    owner = owner_of(here.cli_socket)
    if account is None or account.url != edge.url:
        return own_edge.not_trusted(edge, here.cli_socket)
    return Failure(
        f"the API of this machine's edge is {owner}'s, and this user has no owner's token for it",
        f"as {owner}: homeport token create NAME; then here: homeport init --api-token-stdin",
        NOT_FOUND,
    )


@contextmanager
def asking(timeout: float = TIMEOUT) -> Iterator[Agent]:
    """The same as a context manager, in which a refusal of a name, port, network or domain has its own exit code."""
    try:
        with connect(timeout) as edge:
            yield edge
    except Failure as failure:
        code = _CODES.get(failure.status, failure.code)
        raise Failure(failure.detail, failure.fix, code, failure.status) from failure


def api_url_of(pattern: str) -> str:
    """The URL of the API, from the pattern of the edge's names."""
    return pattern.replace("{name}", "admin")
