"""The installation of this machine, if there is one: its edge, and where its Caddy takes visitors of tunnels.

The agent's own `settings` module checks the whole file, and costs 60 ms of imports; here a few keys are read.
"""

from __future__ import annotations

import os
import pwd
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from homeportd.tunnels.address import EdgeAddress

CANDIDATES: Final = ("~/.config/homeport/agent.toml", "/etc/homeport/agent.toml")  # as in `settings`
MAX_FILE: Final = 64 * 1024  # bytes, as in `settings`
SHARE: Final = "share "  # begins the label of a tunnel to a shared port, whose number follows
WORKSTATION: Final = "this workstation"  # the label of the tunnel to all of it
VISITORS: Final = "visitors/visitors.sock"  # below the folder of the agent's sockets; as in roles/caddy


@dataclass(frozen=True)
class LocalEdge:
    """The edge's address for clients. `ca`: a file of certificate authorities, where the system has not its own."""

    url: str
    ca: str | None


def find() -> LocalEdge | None:
    """The edge of this machine and user; None where there is none, or the settings file cannot be read."""
    return _of(_settings().get("edge"))


def workstation_name() -> str | None:
    """The name at the edge by which this workstation is reached; None where it has none, or another user keeps it."""
    keys = _settings()
    name, user = keys.get("edge_name"), keys.get("user")
    root = os.geteuid() == 0
    # An account that was made for the agent has no daemon: root's does.
    mine = root if keys.get("user_reason") == "root" else user in (None, *_names_of_user())
    return name if isinstance(name, str) and mine else None


def _names_of_user() -> tuple[str, ...]:
    try:
        return (pwd.getpwuid(os.geteuid()).pw_name,)
    except KeyError:
        return ()


def visitors_socket() -> str | None:
    """The unix socket on which Caddy takes visitors of shared ports from a tunnel; None where there is no workstation.

    Who may connect to it may say who a visitor is: the user of the agent, root, and no others.
    """
    keys = _settings()
    folder = keys.get("socket_dir")
    return f"{folder}/{VISITORS}" if isinstance(folder, str) and "origin" in keys else None


def host_of_port(port: int) -> str | None:
    """Host and port of the origin of a port, such as `5173.localhost:8080`; None where there is no workstation."""
    origin = _settings().get("origin")
    return urlsplit(origin.replace("{port}", str(port))).netloc if isinstance(origin, str) else None


def _settings() -> dict[str, Any]:
    """The settings file of the agent; empty where there is none, or it cannot be read."""
    named = os.environ.get("HOMEPORT_CONFIG")
    for text in (named,) if named else CANDIDATES:
        try:
            with Path(text).expanduser().open("rb") as file:
                return tomllib.loads(file.read(MAX_FILE).decode())
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            return {}
    return {}


def _of(table: object) -> LocalEdge | None:
    if not isinstance(table, dict):
        return None
    url, ca = table.get("url"), table.get("acme_ca")
    if not isinstance(url, str):
        return None
    try:
        address = EdgeAddress.parse(url.replace("{name}.", "", 1))
    except ValueError:
        return None
    return LocalEdge(str(address), ca if isinstance(ca, str) else None)
