"""The manifest of an installed folder: the checksum of each file, by which damage is noticed.

A manifest is written last, so a folder without one was never finished. Everything here runs on the target, so it
keeps to the standard library.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

MANIFEST = ".manifest.json"
# What comes into a folder after it was made: the notes of a release that was left, or has run.
LATER = ("kept", ".answered")
CHUNK = 1024 * 1024  # bytes
THREADS = 4  # hashing leaves the interpreter to the others


def write(folder: Path, origin: str) -> str:
    """Write the manifest of a folder and return when it was made; `origin` says what from.

    Raises OSError.
    """
    links, names = {}, []
    for name in _names(folder):
        path = folder / name
        if path.is_symlink():
            links[name] = str(path.readlink())
        else:
            names.append(name)
    with ThreadPoolExecutor(THREADS) as threads:
        files = dict(threads.map(lambda name: (name, _row(folder / name)), names))
    made = f"{time.time():.6f}"
    fresh = folder / f"{MANIFEST}.new"
    text = json.dumps({"origin": origin, "made": made, "files": files, "links": links})
    fresh.write_text(text, encoding="utf-8")
    fresh.chmod(0o644)
    fresh.replace(folder / MANIFEST)
    return made


def read(folder: Path) -> dict[str, Any]:
    """The manifest of a folder: origin, made, files, links. Empty where there is none, or no whole one."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        whole = isinstance(found["origin"], str) and isinstance(found["made"], str)
        whole = whole and isinstance(found["files"], dict) and isinstance(found["links"], dict)
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return found if whole else {}


def damage(folder: Path) -> str:
    """The first difference between a folder and its manifest; empty where there is none.

    Files that the manifest does not name are no damage. A file that this account may not read counts as intact.
    """
    manifest = read(folder)
    if not manifest:
        return "it was not finished"
    for name, target in manifest["links"].items():
        try:
            if str((folder / name).readlink()) != target:
                return f"{name} leads elsewhere"
        except OSError:
            return f"{name} is missing"
    with ThreadPoolExecutor(THREADS) as threads:
        found = threads.map(lambda entry: _difference(folder, *entry), manifest["files"].items())
        return next(filter(None, found), "")


def _names(folder: Path) -> list[str]:
    """Files and links below a folder, by their names relative to it."""
    found = []
    for top, folders, files in os.walk(folder):
        below = Path(top).relative_to(folder)
        if below == Path():
            folders[:] = [name for name in folders if name not in LATER]
        linked = [name for name in folders if (Path(top) / name).is_symlink()]
        found += [str(below / name) for name in (*files, *linked) if not _is_later(below, name)]
    return sorted(found)


def _is_later(below: Path, name: str) -> bool:
    """Whether a name is not of what was installed: the manifest itself, and notes beside it."""
    return below == Path() and (name in LATER or name.startswith(MANIFEST))


def _row(path: Path) -> list[Any]:
    """Size, permissions and SHA-256 of a file."""
    seen = path.stat()
    return [seen.st_size, stat.S_IMODE(seen.st_mode), _sha256(path)]


def _sha256(path: Path) -> str:
    total = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            total.update(chunk)
    return total.hexdigest()


def _difference(folder: Path, name: str, row: list[Any]) -> str:
    path = folder / name
    try:
        seen = path.lstat()
        if not stat.S_ISREG(seen.st_mode):
            return f"{name} is no file any more"
        if [seen.st_size, stat.S_IMODE(seen.st_mode)] != row[:2]:
            return f"{name} has another size or other permissions"
        return "" if _sha256(path) == row[2] else f"{name} has another content"
    except PermissionError:
        return ""
    except OSError:
        return f"{name} is missing"
    except (IndexError, TypeError):
        return "its manifest is damaged"
