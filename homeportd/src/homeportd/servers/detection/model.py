"""A detected dev server, and the snapshot of a repo's files that it is detected in. Pure."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

MAX_COMMAND: Final = 1000  # characters of a command
MAX_NAME: Final = 64  # characters of a server's name

_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")  # what a name has no room for: it stands in addresses and commands


@dataclass(frozen=True)
class DetectedServer:
    """A dev server that a repo's files describe.

    `command` is for a shell, without a port; `directory` is relative to the repo, empty for its root. `source` names
    the file and what in it. `preferred_port` is the number that the project wants, or else its framework's usual one.
    """

    name: str
    command: str
    directory: str = ""
    source: str = ""
    preferred_port: int | None = None


@dataclass(frozen=True)
class Detection:
    """What a repo's files say: its dev servers, the main one first, and its compose files, which are only named."""

    servers: tuple[DetectedServer, ...] = ()
    compose_files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Files:
    """Snapshot of a repo's files: the path of each, and the text of those that are read. Paths are relative."""

    paths: frozenset[str] = frozenset()
    texts: Mapping[str, str] = field(default_factory=dict)

    def folders(self) -> list[str]:
        """Every folder with a file, the root (empty text) first."""
        found = {""} | {path.rpartition("/")[0] for path in self.paths}
        return sorted(found, key=lambda path: (path != "", path.count("/"), path))

    def has(self, folder: str, *names: str) -> bool:
        """Whether a folder has a file of one of these names."""
        return any(join(folder, name) in self.paths for name in names)

    def text(self, folder: str, name: str) -> str:
        """The text of a file; empty where there is none."""
        return self.texts.get(join(folder, name), "")

    def json(self, folder: str, name: str) -> dict[str, Any]:
        """The object in a JSON file, whose line comments are ignored; empty where there is none."""
        text = self.text(folder, name)
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            try:
                found = json.loads(re.sub(r",(\s*[}\]])", r"\1", re.sub(r"^\s*//.*$", "", text, flags=re.M)))
            except (ValueError, RecursionError):
                return {}
        return found if isinstance(found, dict) else {}

    def toml(self, folder: str, name: str) -> dict[str, Any]:
        """The tables of a TOML file; empty where there is none."""
        try:
            return tomllib.loads(self.text(folder, name))
        except (ValueError, RecursionError):
            return {}


def join(folder: str, name: str) -> str:
    """A path below a folder, which may be the root."""
    return f"{folder}/{name}" if folder else name


def table(found: object, *names: str) -> dict[str, Any]:
    """The table below nested names of a hostile document; empty where there is none."""
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def fit_name(text: str) -> str:
    """A text as a server's name."""
    return _UNFIT.sub("-", text).strip("-.")[:MAX_NAME] or "server"


def is_command(text: object) -> bool:
    """Whether a value of a file can be shown and run as a command: one printable line."""
    return (
        isinstance(text, str) and 0 < len(text) <= MAX_COMMAND and text.isprintable() and bool(text.strip())
    )


def port_in(text: str) -> int | None:
    """The number in the `port: 4000` or `"port": 4000` of a configuration file."""
    match = re.search(r"""["']?\bport["']?\s*[:=]\s*["']?(\d{2,5})\b""", text)
    number = int(match[1]) if match else 0
    return number if 1024 <= number <= 65535 else None
