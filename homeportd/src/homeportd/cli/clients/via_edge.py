"""A port of this workstation at an edge: a tunnel to the local Caddy, where the port's own share still decides."""

from __future__ import annotations

import tomllib
from typing import Final
from urllib.parse import urlsplit

from homeportd.cli.clients import daemon_client, installation
from homeportd.cli.errors import UNREACHABLE, USAGE, Failure

# The address that visitors through the tunnel have for Caddy, when a share has an allowlist: the edge enforces
# that list, and the share has to let this address in without letting in others on loopback.
SOURCE: Final = "127.77.0.1"


def check(via: str) -> None:
    """Raises Failure unless a tunnel could be made; called before a share is changed."""
    if via != "edge":
        raise Failure(f"{via!r} is no way to share", "write --via edge", USAGE)
    daemon_client.status()


def open_tunnel(port: int, allow: list[str]) -> str:
    """Add the tunnel of a port to the daemon; returns its public address. Raises Failure."""
    from homeportd.tunnels.model import TunnelSpec  # pydantic: too slow for other shares
    from homeportd.tunnels.protocol import Kind

    origin, caddy = _caddy(port)
    spec = TunnelSpec(
        kind=Kind.HTTP,
        target=f"127.0.0.1:{caddy}",
        host=urlsplit(origin).netloc,
        allow=tuple(allow),
        label=_label(port),
        source=SOURCE if allow else None,
    )
    return str(daemon_client.add_tunnel(spec)["address"])


def with_source(allow: list[str]) -> list[str]:
    """The share's own allowlist: the given one, and the tunnel."""
    return [*allow, f"{SOURCE}/32"] if allow else []


def close_tunnel(port: int) -> bool:
    """Remove the tunnel of a port; returns whether there was one."""
    try:
        return bool(daemon_client.remove_tunnels(_label(port), missing_ok=True))
    except daemon_client.NoDaemon:
        return False


def _label(port: int) -> str:
    return f"share {port}"


def _caddy(port: int) -> tuple[str, int]:
    """The port's own origin, and where Caddy listens: Homeport's first own port. Raises Failure."""
    found = installation.find()
    with found.config.open("rb") as file:
        keys = tomllib.load(file)
    origin = str(keys.get("origin", "")).replace("{port}", str(port))
    own = keys.get("own_ports") or []
    number = own[0] if isinstance(own, list) and own else urlsplit(origin).port
    if not origin or not isinstance(number, int):
        raise Failure(
            f"{found.config} does not say where this workstation's Caddy listens", "run bin/site", UNREACHABLE
        )
    return origin, number
