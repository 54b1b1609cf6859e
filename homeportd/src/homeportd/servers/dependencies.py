"""The dependencies of a server that are not installed, and the command that installs them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from homeportd.servers.detection.javascript import lock_of, manager
from homeportd.servers.detection.model import Files, join, table

_MARKERS = (".package-lock.json", ".modules.yaml", ".yarn-state.yml", ".yarn-integrity", "")


@dataclass(frozen=True)
class Missing:
    """What is not installed, as a sentence without a full stop; the command that installs it, and its folder."""

    detail: str
    command: str
    directory: str


def missing(root: Path, files: Files, folder: str, source: str = "") -> Missing | None:
    """The dependencies that a server in `folder` lacks, as far as its files tell; blocking.

    `source` names the file that describes the server: one of package.json needs its packages alone.
    """
    node = _node(root, files, folder) if files.has(folder, "package.json") else None
    if "package.json" in source:
        return node
    return _python(root, files, folder) or _others(root, files, folder) or node


def _node(root: Path, files: Files, folder: str) -> Missing | None:
    package = files.json(folder, "package.json")
    wanted = any(
        table(package, name) for name in ("dependencies", "devDependencies", "optionalDependencies")
    ) or bool(package.get("workspaces"))
    if not wanted or files.has("", ".pnp.cjs"):
        return None
    lock = lock_of(files, folder)
    where = lock.rpartition("/")[0] if lock is not None else folder
    by = manager(files, folder)
    command = "npm install --no-audit --no-fund" if by == "npm" else f"{by} install"
    installed = [_installed(root / place / "node_modules") for place in {where, folder}]
    newest = max((time for time in installed if time is not None), default=None)
    if newest is None:
        return Missing("node_modules is missing", command, where)
    if lock is not None and (changed := _modified(root / lock)) is not None and changed > newest:
        return Missing(f"node_modules is older than {lock}", command, where)
    return None


def _python(root: Path, files: Files, folder: str) -> Missing | None:
    environments = [root / folder / name for name in (".venv", "venv")]
    present = any(place.is_dir() for place in environments)
    if files.has(folder, "uv.lock"):
        made = _modified(environments[0])
        locked = _modified(root / folder / "uv.lock")
        if made is None:
            return Missing(".venv is missing", "uv sync", folder)
        if locked is not None and locked > made + 1 and _modified(environments[0] / "pyvenv.cfg") is None:
            return Missing(f".venv is older than {join(folder, 'uv.lock')}", "uv sync", folder)
        return None
    if files.has(folder, "requirements.txt") and not present and not files.has(folder, "pyproject.toml"):
        install = "python3 -m venv .venv && .venv/bin/python -m pip install -r requirements.txt"
        return Missing(".venv is missing", install, folder)
    return None


def _others(root: Path, files: Files, folder: str) -> Missing | None:
    for file, place, command in (
        ("composer.json", "vendor", "composer install"),
        ("mix.exs", "deps", "mix deps.get"),
    ):
        if files.has(folder, file) and not (root / folder / place).is_dir():
            return Missing(f"{place} is missing", command, folder)
    return None


def _installed(folder: Path) -> float | None:
    """When a package manager last finished with a node_modules; None: it is not there."""
    for marker in _MARKERS:
        if (time := _modified(folder / marker)) is not None:
            return time
    return None


def _modified(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None
