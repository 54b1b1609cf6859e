"""The check of the disk: free space where Homeport keeps its data."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from homeportd.cli.doctor.check import Check, Machine, Step
from homeportd.cli.output import phrases

NAME: Final = "disk"
FULL: Final = 100 * 1000**2  # bytes free below which reservations, tokens and logs may not be kept any more
LOW: Final = 1000**3  # bytes free below which a person should know
FEW_FILES: Final = 1000  # files that can still be made; SQLite and each write of a route need some


def disk(folders: Iterable[Path]) -> Check:
    """Whether there is room in these folders: the check of the folder that has the least."""
    checks = [_of_folder(folder) for folder in folders]
    return max(checks, key=lambda check: ("ok", "skipped", "note", "fail").index(check.state))


def assess(folder: Path, free: int, files: int | None, mount: Path) -> Check:
    """The check of a folder on a file system with `free` bytes and room for `files` (None: without a limit)."""
    fix = f"make room on {mount}: du -xhd1 {mount} | sort -h shows what takes it"
    if files is not None and files < FEW_FILES:
        return Check(NAME, "fail", f"{mount} can take {files} more files, which {folder} needs", fix)
    left = f"{phrases.size(free)} free for {folder}"
    if free < FULL:
        return Check(NAME, "fail", f"{left}: what is new may not be kept", fix)
    return Check(NAME, "note", left, fix) if free < LOW else Check(NAME, "ok", left)


def _of_folder(folder: Path) -> Check:
    try:
        # A folder that is not made yet will be on the disk of its parent.
        there = next(path for path in (folder, *folder.parents) if path.exists())
        found = os.statvfs(there)
        mount = next(path for path in (there, *there.parents) if path.is_mount())
    except OSError as error:
        return Check(NAME, "skipped", f"cannot look at {folder}: {error.strerror}")
    # A file system such as btrfs counts no files.
    files = found.f_favail if found.f_files else None
    return assess(folder, found.f_bavail * found.f_frsize, files, mount)


def _disk(machine: Machine) -> list[Check]:
    folders = machine.data_folders
    return [disk(folders)] if folders else []


STEPS: Final = (Step(20, "disk", _disk, needs_settings=False),)
