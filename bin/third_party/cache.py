"""The folder of parts that were made, outside the tree: where each is, and whether all of it is there."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from third_party.model import Part

MANIFEST = ".part.json"
CHUNK = 1 << 20  # bytes


def folder() -> Path:
    """The cache: HOMEPORT_PARTS, else homeport/parts in the user's own cache folder."""
    if named := os.environ.get("HOMEPORT_PARTS"):
        return Path(named).expanduser().absolute()
    own = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(own) / "homeport" / "parts"


def path_of(part: Part) -> Path:
    """Where a part is when it is made."""
    return folder() / part.folder


def work(part: Part) -> Path:
    """Where a part is while it is made."""
    return folder() / ".making" / part.folder


@dataclass(frozen=True)
class State:
    """`name` is made, damaged, begun or missing; `problem` says what is wrong with a damaged part."""

    name: str
    problem: str = ""
    seconds: float | None = None  # that it took
    size: int | None = None  # bytes


def state(part: Part, *, thorough: bool = False) -> State:
    """Look at a part: each file is there with its size, the programs with their digest; `thorough`: all files."""
    try:
        manifest = json.loads((path_of(part) / MANIFEST).read_text())
    except FileNotFoundError:
        if path_of(part).exists():
            return State("damaged", f"{MANIFEST} is missing")
        return State("begun" if work(part).exists() else "missing")
    except ValueError:
        return State("damaged", f"{MANIFEST} is not readable")
    problem = _problem(part, manifest["files"], thorough=thorough)
    size = sum(each[0] for each in manifest["files"].values())
    return State("damaged" if problem else "made", problem, manifest["seconds"], size)


def _problem(part: Part, files: dict[str, list[object]], *, thorough: bool) -> str:
    for name, (size, digest) in files.items():
        path = path_of(part) / name
        try:
            if path.lstat().st_size != size:
                return f"{name} has another size"
            if (thorough or name in part.programs) and digest_of(path) != digest:
                return f"{name} has another content"
        except OSError as error:
            return f"{name}: {error.strerror}"
    return ""


def digest_of(path: Path) -> str:
    """SHA-256 of a file, or of where a symbolic link leads."""
    total = hashlib.sha256()
    if path.is_symlink():
        total.update(os.fsencode(path.readlink()))
        return total.hexdigest()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            total.update(chunk)
    return total.hexdigest()


def missing_program(part: Part, made: Path) -> str | None:
    """The first of its programs that `made`, a folder, has not."""
    return next((name for name in part.programs if not (made / name).exists()), None)


def keep(part: Part, made: Path, seconds: float) -> None:
    """Move a part from where it was made into the cache, whole or not at all, in place of its other versions."""
    files = {
        str(path.relative_to(made)): [path.lstat().st_size, digest_of(path)]
        for path in sorted(made.rglob("*"))
        if path.is_symlink() or path.is_file()
    }
    manifest = {"name": part.name, "version": part.version, "seconds": round(seconds, 1), "files": files}
    (made / MANIFEST).write_text(json.dumps(manifest, indent=0))
    to = path_of(part)
    to.parent.mkdir(parents=True, exist_ok=True)
    for old in to.parent.iterdir():
        remove(old)
    made.rename(to)


def remove(path: Path) -> None:
    """Remove a folder, which may have folders that nobody can write to, as Go's module cache has."""
    for within, folders, _ in os.walk(path):
        for name in folders:
            entry = Path(within, name)
            if not entry.is_symlink():
                entry.chmod(0o700)
    shutil.rmtree(path, ignore_errors=True)
