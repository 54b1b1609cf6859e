"""The environment of a server: the folders in which a person's tools lie, which a login shell would have in PATH."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from homeportd.servers.port_flags import environment as port_environment

_FOLDERS: Final = (
    ".local/bin",
    "bin",
    ".volta/bin",
    ".bun/bin",
    ".deno/bin",
    ".cargo/bin",
    "go/bin",
    ".local/share/pnpm",
    ".local/share/mise/shims",
    ".asdf/shims",
    ".pyenv/shims",
    ".rbenv/shims",
)
_SYSTEM: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def environment(port: int | None) -> dict[str, str]:
    """The variables that a server gets beside the user's own; blocking, a few looks at folders."""
    home = Path.home()
    folders = [str(home / name) for name in _FOLDERS if (home / name).is_dir()]
    newest = _newest_node(home / ".nvm/versions/node")
    if newest is not None:
        folders.append(str(newest))
    if Path("/usr/local/go/bin").is_dir():
        folders.append("/usr/local/go/bin")
    path = os.pathsep.join([*folders, os.environ.get("PATH") or _SYSTEM])
    return {"PATH": path, **(port_environment(port) if port is not None else {})}


def _newest_node(versions: Path) -> Path | None:
    """The programs of the newest Node that nvm has installed."""
    try:
        found = [folder / "bin" for folder in versions.iterdir() if (folder / "bin/node").exists()]
    except OSError:
        return None

    def version(folder: Path) -> list[int]:
        parts = folder.parent.name.removeprefix("v").split(".")
        return [int(part) if part.isdigit() else 0 for part in parts]

    return max(found, key=version, default=None)
