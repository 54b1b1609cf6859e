"""The command that connects this user with an edge."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from homeportd.cli.clients import own_edge
from homeportd.cli.clients.daemon_client import retry
from homeportd.cli.clients.edge_client import EdgeAgent, api_url_of
from homeportd.cli.errors import TUNNEL_EXIT_CODES, USAGE, Failure
from homeportd.cli.options import passwords
from homeportd.cli.options.arguments import Json
from homeportd.cli.output import phrases
from homeportd.cli.output.terminal import write, write_json
from homeportd.cli.registry import Commands
from homeportd.cli.tunnel_failures import attempt
from homeportd.tunnels import account as accounts
from homeportd.tunnels import local_edge
from homeportd.tunnels import proxy as proxies
from homeportd.tunnels.account import Account
from homeportd.tunnels.address import EdgeAddress, is_loopback
from homeportd.tunnels.errors import TunnelError

commands = Commands(position=60, exit_codes=TUNNEL_EXIT_CODES)


@commands.command(
    "init",
    "homeport init --edge https://tunnel.example.com",
    "homeport init --edge https://tunnel.example.com --token-stdin < token.txt",
    "homeport init --proxy http://alice@proxy.example.com:3128",
)
def init(
    token: Annotated[
        str | None, typer.Argument(metavar="TOKEN", help="A token for tunnels, made on the edge.")
    ] = None,
    *,
    edge: Annotated[
        str | None, typer.Option("--edge", metavar="URL", help="Such as https://tunnel.example.com.")
    ] = None,
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Read the token from standard input.")
    ] = False,
    api_token_stdin: Annotated[
        bool,
        typer.Option(
            "--api-token-stdin",
            help="Read an owner's token for the edge's API, and keep it beside the other.",
        ),
    ] = False,
    ca: Annotated[
        str | None, typer.Option("--ca", metavar="FILE", help="Trust these certificates, not the system's.")
    ] = None,
    links: Annotated[
        int | None, typer.Option("--links", min=1, max=8, metavar="N", help="Connections to hold (2).")
    ] = None,
    proxy: Annotated[
        str | None,
        typer.Option(
            "--proxy",
            metavar="URL",
            help="Reach the edge through this proxy; none: through no proxy; env: as set.",
        ),
    ] = None,
    proxy_password_stdin: Annotated[
        bool, typer.Option("--proxy-password-stdin", help="Read the proxy's password from standard input.")
    ] = False,
    json: Json = False,
) -> None:
    """Connect this user with an edge, and keep its token.

    Asks for the token when none is given. Nothing is stored unless the edge accepts it. On a machine with an
    edge of its own no option is needed: the agent gives its own user, and root, a token.

    HTTPS_PROXY, HTTP_PROXY and NO_PROXY hold, as for curl. A proxy of --proxy is kept, with its password, for the
    daemon too, which may not have the environment of this terminal; for USER@ the password is asked for.
    """
    known = _known()
    given = edge or token or token_stdin or api_token_stdin or ca or proxy
    if (
        not given
        and local_edge.find() is not None
        and (known.local if known else not accounts.path().exists())
    ):
        account = own_edge.connected()
        _finish(replace(account, links=links) if links else account, json)
        return
    url = edge or (known.url if known else None)
    if url is None:
        raise Failure("which edge?", accounts.CONNECT, USAGE)
    if token and token_stdin:
        raise Failure("a token was given twice", "leave the argument out", USAGE)
    if token_stdin + api_token_stdin + proxy_password_stdin > 1:
        raise Failure("standard input has one secret", "run the command twice", USAGE)
    if token:
        sys.stderr.write(
            "note: a token on the command line is seen by other users and kept in the history; "
            "better: homeport init --token-stdin\n"
        )
    try:
        address = EdgeAddress.parse(url)
        way = _proxy(proxy, proxy_password_stdin)
        api_token = accounts.check_token(passwords.from_stdin("token")) if api_token_stdin else None
        kept = api_token_stdin or (proxy and not token_stdin and known and known.url == url)
        if token is None and kept and known is not None:
            token = known.token
        elif token is None:
            token = passwords.from_stdin("token") if token_stdin else _ask()
        token = accounts.check_token(token)
    except ValueError as error:
        raise Failure(str(error), "homeport init --help", USAGE) from None
    same = known if known is not None and known.url == url else None
    account = accounts.Account(
        url=url,
        token=token,
        ca=str(Path(ca).absolute()) if ca else same.ca if same else None,
        api_url=same.api_url if same else None,
        api_token=api_token or (same.api_token if same else None),
        links=links or (same.links if same else accounts.LINKS),
        proxy=way if proxy else same.proxy if same else None,
    )
    _note_environment(account)
    if not address.secure and not is_loopback(address.host):
        sys.stderr.write(f"note: {url} is not encrypted: anyone on the way can read the token\n")
    _finish(account, json)


def _proxy(text: str | None, password_stdin: bool) -> str | None:
    """The proxy as the account keeps it. Raises ValueError, Failure."""
    if text is None or text == "env":
        if password_stdin:
            raise Failure("the password is of no proxy", "give --proxy too", USAGE)
        return None
    if text == proxies.NONE:
        return text
    found = proxies.Proxy.parse(text, "--proxy")
    if found.password:
        raise Failure(
            "a password on the command line is seen by other users",
            f"leave it out: homeport init --proxy {found.scheme}://{quote(found.user, safe='')}@{found.netloc}"
            " asks for it, or reads it with --proxy-password-stdin",
            USAGE,
        )
    if password_stdin:
        return found.with_password(passwords.from_stdin("password"))
    return found.with_password(_ask(f"Password of {found.user} at the proxy: ")) if found.user else str(found)


def _note_environment(account: Account) -> None:
    """Say that the proxy is the environment's, which a daemon that a service manager starts has not."""
    if account.proxy is None and (found := proxies.find(account.address, None)) is not None:
        sys.stderr.write(
            f"note: this goes through the proxy {found}, of {found.source}; to keep it for the daemon as well:"
            " homeport init --proxy URL\n"
        )


def _finish(account: Account, json: bool) -> None:
    from homeportd.tunnels.probe import probe  # asyncio, pydantic: too slow for help

    found = attempt(lambda: probe(account))
    welcome, newer = found.welcome, found.newer_token
    account = replace(account, token=newer or account.token, api_url=api_url_of(welcome.url))
    if account.api_token:
        with EdgeAgent(account) as agent:
            agent.get("/tunnels")
    try:
        accounts.store(account)
    except OSError as error:
        raise Failure(
            f"cannot write {accounts.path()}: {error.strerror}", "check that folder's owner, mode and space"
        ) from error
    daemon_uses_it = retry()
    if welcome.token_ends is not None:
        sys.stderr.write(_replaced(welcome.token_ends, newer is not None))
    if json:
        write_json(
            {
                "edge": account.url,
                "names": welcome.url,
                "host": welcome.host,
                "tcp_ports": welcome.tcp_ports,
                "udp_ports": welcome.udp_ports,
                "stored": str(accounts.path()),
                "api": account.api_token is not None,
                "token_ends": None if newer else welcome.token_ends,
            }
        )
        return
    write(
        [
            f"The edge {welcome.edge} accepts the token; it is kept in {accounts.path()}.",
            f"Names are {welcome.url}, TCP ports {welcome.tcp_ports}, UDP ports {welcome.udp_ports}.",
            *(["The daemon uses it from now on."] if daemon_uses_it else []),
            "Next: homeport http 3000 --domain myapp",
        ]
    )


def _replaced(ends: str, have_newer: bool) -> str:
    """A note about a token that was replaced, for standard error."""
    if have_newer:
        return "note: the token was replaced; the edge gave the newer one, which is kept in its place\n"
    return phrases.replaced(ends)


def _known() -> Account | None:
    try:
        return accounts.load()
    except TunnelError:
        return None


def _ask(prompt: str = "Token of the edge: ") -> str:
    import getpass

    if not sys.stdin.isatty():
        token = prompt.startswith("Token")
        what, option = ("token", "--token-stdin") if token else ("password", "--proxy-password-stdin")
        raise Failure(f"there is no terminal to ask for the {what}", f"use {option}", USAGE)
    return getpass.getpass(prompt)
