"""Finding working trees: those below a folder, and those that processes run in. Blocking; for a thread."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from homeportd.repos import files
from homeportd.repos.model import WorkingTree, without_credentials

DEPTH = 3  # levels below the repo root: host/owner/name fits
MAX_REPOS = 256
MAX_FOLDERS = 8192  # that are looked at below the repo root
MAX_ENTRIES = 4096  # of one folder that are read
# What changed so short a time before it was read may have changed again without a new time: kernels before 6.13 stamp
# by a clock that stands still for up to 10 ms, some file systems by one of 2 s. Git calls such an entry racy, too.
SETTLED_NS = 2_000_000_000
NOBODY = 65534  # the owner of a folder that went away while it was read
SKIPPED = frozenset({"node_modules", "__pycache__", "venv", "target", "vendor", "dist", "build"})


@dataclass(frozen=True)
class _Listing:
    stamp: int  # mtime of the folder, in ns
    settled: bool  # whether a later change is sure to have another stamp
    folders: tuple[str, ...]


@dataclass(frozen=True)
class _Read:
    stamps: tuple[tuple[int, int, int], ...]
    settled: bool
    tree: WorkingTree


class Discovery:
    """Remembers what it read: looking again is one `stat` for each folder. For one thread at a time."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._listings: dict[Path, _Listing] = {}
        self._trees: dict[Path, _Read] = {}

    def look(self, folders: Iterable[Path]) -> tuple[WorkingTree, ...]:
        """All working trees below the root and around `folders`, at most MAX_REPOS, sorted by path."""
        paths = {above for folder in folders if (above := working_tree(folder)) is not None}
        listings: dict[Path, _Listing] = {}
        for path in self._below(self._root, DEPTH, listings):
            if len(paths) >= MAX_REPOS:
                break
            paths.add(path)
        self._listings = listings
        trees = {path: read for path in sorted(paths)[:MAX_REPOS] if (read := self._read(path)) is not None}
        self._trees = trees
        return tuple(read.tree for read in trees.values())

    def _below(self, folder: Path, depth: int, listings: dict[Path, _Listing]) -> Iterator[Path]:
        for name in self._folders(folder, listings):
            path = folder / name
            if files.git_dir(path) is not None:
                yield path
            elif depth > 1 and len(listings) < MAX_FOLDERS:
                yield from self._below(path, depth - 1, listings)

    def _folders(self, folder: Path, listings: dict[Path, _Listing]) -> tuple[str, ...]:
        """The folders in a folder, read anew only when something was added, removed or renamed; or may have been."""
        try:
            stamp = folder.stat().st_mtime_ns
            known = self._listings.get(folder)
            if known is None or known.stamp != stamp or not known.settled:
                known = _Listing(stamp, _settled(stamp), tuple(sorted(_list(folder))))
        except OSError:
            return ()
        listings[folder] = known
        return known.folders

    def _read(self, path: Path) -> _Read | None:
        folder = files.git_dir(path)
        if folder is None:
            return None
        common = files.common_dir(folder)
        stamps = tuple(_stamp(each) for each in (path / ".git", folder / "HEAD", common / "config"))
        known = self._trees.get(path)
        if known is not None and known.settled and known.stamps == stamps and known.tree.git_dir == folder:
            uid = _uid(path)
            return known if known.tree.uid == uid else _Read(stamps, True, replace(known.tree, uid=uid))
        settled = _settled(max(stamp for _, _, stamp in stamps))
        tree = read_working_tree(path)
        return None if tree is None else _Read(stamps, settled, tree)


def _list(folder: Path) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for _, entry in zip(range(MAX_ENTRIES), entries, strict=False):
            if entry.name.startswith(".") or entry.name in SKIPPED or not entry.is_dir(follow_symlinks=False):
                continue
            if entry.name.isprintable():  # a name that is no UTF-8 could not be shown nor sent
                yield entry.name


def _settled(stamp: int) -> bool:
    return stamp < time.time_ns() - SETTLED_NS


def _uid(path: Path) -> int:
    try:
        return path.stat().st_uid
    except OSError:
        return NOBODY


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        status = path.stat()
    except OSError:
        return 0, 0, 0
    return status.st_ino, status.st_size, status.st_mtime_ns


def read_working_tree(path: Path) -> WorkingTree | None:
    """Read the working tree at a path; None when it is none, or not ours to read."""
    folder = files.git_dir(path)
    if folder is None:
        return None
    common = files.common_dir(folder)
    url = files.remote(files.config(common))
    remote = without_credentials(url) if url is not None else None
    return WorkingTree(path, folder, common, files.branch(folder), remote, _uid(path))


def is_hidden(folder: Path) -> bool:
    """Whether a working tree may be around a folder, nearer than any that we see, where we may not look."""
    if not folder.is_absolute():
        return False
    for path in (folder, *folder.parents[:-1]):
        try:
            (path / ".git").lstat()
        except PermissionError:
            return True
        except OSError:
            continue
        return files.git_dir(path) is None
    return False


def working_tree(folder: Path) -> Path | None:
    """The nearest working tree that a folder is in; never the root of the file system."""
    if not folder.is_absolute():
        return None
    for path in (folder, *folder.parents):
        if path.parent == path:
            return None
        if files.git_dir(path) is not None:
            return path if str(path).isprintable() else None
    return None
