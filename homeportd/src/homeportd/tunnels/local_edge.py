"""The edge of this machine, if it is one: its address in the agent's settings file.

The agent's own `settings` module checks the whole file, and costs 60 ms of imports; here two keys are read.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

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
    named = os.environ.get("HOMEPORT_CONFIG")
    for text in (named,) if named else CANDIDATES:
        try:
            with Path(text).expanduser().open("rb") as file:
                keys = tomllib.loads(file.read(MAX_FILE).decode())
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            return None
        return _of(keys.get("edge"))
    return None


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
