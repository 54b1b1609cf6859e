"""The hop that every write has: free space where Homeport keeps its data."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from homeportd.cli.doctor.checks import Check
from homeportd.cli.output import phrases

NAME: Final = "disk"
FULL: Final = 100 * 1000**2  # bytes free below which reservations, tokens and logs may not be kept any more
LOW: Final = 1000**3  # bytes free below which a person should know
FEW_FILES: Final = 1000  # files that can still be made; SQLite and each write of a route need some


def disk(folders: Iterable[Path]) -> Check:
    """Whether there is room for what Homeport keeps in these folders; the fullest disk speaks for all."""
    hops = [_look(folder) for folder in folders]
    return max(hops, key=lambda hop: ("ok", "skipped", "note", "fail").index(hop.state))


def judge(folder: Path, free: int, files: int | None, mount: Path) -> Check:
    """What `free` bytes and so many `files` (None: without a limit) mean for a folder on a file system."""
    fix = f"make room on {mount}: du -xhd1 {mount} | sort -h shows what takes it"
    if files is not None and files < FEW_FILES:
        return Check(NAME, "fail", f"{mount} can take {files} more files, which {folder} needs", fix)
    left = f"{phrases.size(free)} free for {folder}"
    if free < FULL:
        return Check(NAME, "fail", f"{left}: what is new may not be kept", fix)
    return Check(NAME, "note", left, fix) if free < LOW else Check(NAME, "ok", left)


def _look(folder: Path) -> Check:
    try:
        # What is not made yet is made where its parent is.
        there = next(path for path in (folder, *folder.parents) if path.exists())
        found = os.statvfs(there)
        mount = next(path for path in (there, *there.parents) if path.is_mount())
    except OSError as error:
        return Check(NAME, "skipped", f"cannot look at {folder}: {error.strerror}")
    # A file system such as btrfs counts no files.
    files = found.f_favail if found.f_files else None
    return judge(folder, found.f_bavail * found.f_frsize, files, mount)
