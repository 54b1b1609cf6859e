"""The settings of the agent of this machine, if there is one, and its edge.

The agent's own `settings` module checks the whole file, and costs 60 ms of imports; here a few keys are read.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from homeportd.tunnels.address import EdgeAddress

CANDIDATES: Final = ("~/.config/homeport/agent.toml", "/etc/homeport/agent.toml")  # as in `settings`
MAX_FILE: Final = 64 * 1024  # bytes, as in `settings`


@dataclass(frozen=True)
class LocalEdge:
    """The edge's address for clients. `ca`: a file of certificate authorities, where the system has not its own."""

    url: str
    ca: str | None


def find() -> LocalEdge | None:
    """The edge of this machine and user; None where there is none, or the settings file cannot be read."""
    return _of(settings().get("edge"))


def settings() -> dict[str, Any]:
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
