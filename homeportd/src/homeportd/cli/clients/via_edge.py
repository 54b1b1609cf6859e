"""A port of this workstation at an edge: a tunnel to the local Caddy, where the port's own share still decides."""

from __future__ import annotations

import socket
from typing import Final

from homeportd.cli.clients import daemon_client
from homeportd.cli.errors import REQUEST, UNREACHABLE, USAGE, Failure
from homeportd.tunnels import local_workstation
from homeportd.tunnels.address import UNIX

CONNECT_S: Final = 5.0  # for Caddy to take a connection


def check(via: str) -> None:
    """Raises Failure unless a tunnel could be made; called before a share is changed."""
    if via != "edge":
        raise Failure(f"{via!r} is no way to share", "write --via edge", USAGE)
    daemon_client.status()
    path = _visitors_socket()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(CONNECT_S)
        try:
            connection.connect(path)
        except OSError as error:
            reason = error.strerror or error
            fix = "bin/site, run by its owner, starts it; homeport doctor says more"
            raise Failure(
                f"Caddy takes no visitors of tunnels at {path}: {reason}", fix, UNREACHABLE
            ) from error


def open_tunnel(port: int, allow: list[str], name: str | None, *, subdomains: bool) -> str:
    """Add the tunnel of a port to the daemon; returns its public address. Without `name` it keeps the one that it has.

    Raises Failure.
    """
    from homeportd.tunnels.model import TunnelSpec  # pydantic: too slow for other shares
    from homeportd.tunnels.protocol import Kind

    spec = TunnelSpec(
        kind=Kind.HTTP,
        target=f"{UNIX}{_visitors_socket()}",
        name=name,
        host=local_workstation.read().host_of_port(port),
        allow=tuple(allow),
        label=_label(port),
        subdomains=subdomains,
    )
    try:
        return str(daemon_client.add_tunnel(spec)["address"])
    except Failure as failure:
        if failure.detail.startswith(
            "target: "
        ):  # the daemon of a release before December 2026 knows no unix sockets
            raise Failure(
                "the tunnel daemon is that of an earlier release; the share is made, and not yet at the edge",
                "homeport daemon stop; homeport daemon start; then share it again",
                REQUEST,
            ) from None
        raise


def close_tunnel(port: int) -> bool:
    """Remove the tunnel of a port; returns whether there was one."""
    try:
        return bool(daemon_client.remove_tunnels(_label(port), missing_ok=True))
    except daemon_client.NoDaemon:
        return False


def _visitors_socket() -> str:
    """The path of Caddy's socket for visitors of tunnels. Raises Failure."""
    path = local_workstation.read().visitors
    if path is None:
        fix = "put it into the inventory's group `workstation` and run bin/site"
        raise Failure("this machine is no workstation, whose Caddy would take visitors", fix, UNREACHABLE)
    return path


def _label(port: int) -> str:
    return f"{local_workstation.SHARE}{port}"
