"""The settings file of the agent: TOML, written by Ansible, without a secret in it.

Here it is read, and made of the settings of the rooms.
"""

from __future__ import annotations

import os
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationError, model_validator

from homeportd.domains.settings import DomainsSettings
from homeportd.editor.settings import EditorSettings
from homeportd.errors import HomeportError
from homeportd.networks import Network, parse_network, parse_networks
from homeportd.origin import Origin
from homeportd.ports.settings import PortsSettings
from homeportd.repos.settings import ReposSettings
from homeportd.setting_types import AbsolutePath
from homeportd.system.settings import SystemSettings

CANDIDATES = ("~/.config/homeport/agent.toml", "/etc/homeport/agent.toml")
MAX_FILE = 64 * 1024  # bytes


class SettingsError(HomeportError):
    """The settings file cannot be used."""


def _networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(str, parse_networks(texts)))


class Settings(ReposSettings, PortsSettings, SystemSettings):
    """The settings of an agent; docs/operations.md explains every key."""

    # Left out on an edge that is no workstation: no ports, repos and shares then.
    origin: Annotated[str, AfterValidator(lambda text: Origin(text).pattern)] | None = None
    # The name at the user's edge where `origin` is; left out where another proxy leads there, or none.
    edge_name: str | None = None
    # Networks that the workstation's dashboard and API answer to; empty: all. An edge has its own, for its own.
    admin_allow: Annotated[tuple[str, ...], AfterValidator(_networks)] = ()
    data_dir: AbsolutePath
    socket_dir: AbsolutePath
    editor: EditorSettings | None = None  # left out where none is installed
    edge: DomainsSettings | None = None  # left out on a machine that is no edge

    @model_validator(mode="after")
    def _is_something(self) -> Settings:
        if self.origin is None and self.edge is None:
            raise ValueError("origin is missing; an edge alone, with a table [edge], does without")
        return self

    @cached_property
    def origins(self) -> Origin | None:
        """The parsed `origin`; None on an edge that is no workstation."""
        return None if self.origin is None else Origin(self.origin)

    @cached_property
    def admin_networks(self) -> tuple[Network, ...]:
        """The parsed `admin_allow`."""
        return tuple(map(parse_network, self.admin_allow))

    @property
    def dashboard(self) -> str:
        """The origin that people are sent to: the workstation's, or else the edge's."""
        if self.origins is not None:
            return self.origins.dashboard
        assert self.edge is not None  # noqa: S101 - checked when this object was made
        return self.edge.admin

    def socket(self, name: str) -> Path:
        """The path of one of the agent's unix sockets: `cli`, `web`, `gateway`, `relay` or `editor`."""
        return self.socket_dir / f"{name}.sock"


def find() -> Path:
    """The settings file of this machine; raises SettingsError when there is none."""
    named = os.environ.get("HOMEPORT_CONFIG")
    if named:
        return Path(named)
    for candidate in CANDIDATES:
        path = Path(candidate).expanduser()
        if path.is_file():
            return path
    raise SettingsError(
        f"no settings file at {' or '.join(CANDIDATES)}", "run bin/site, or name the file in HOMEPORT_CONFIG"
    )


def load(path: Path) -> Settings:
    """Read and check one settings file; raises SettingsError with every mistake in it."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE + 1)
    except OSError as error:
        raise SettingsError(
            f"cannot read {path}: {error.strerror}", "run bin/site to write it anew"
        ) from error
    if len(text) > MAX_FILE:
        raise SettingsError(f"{path} is larger than {MAX_FILE} bytes", "run bin/site to write it anew")
    try:
        return Settings.model_validate(tomllib.loads(text.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}", "correct that line, or run bin/site") from error
    except ValidationError as error:
        details = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()
        )
        raise SettingsError(
            f"{path}: {details}", "correct these keys in the inventory and run bin/site"
        ) from error
