"""The working tree around a folder, read with the rights of the user who owns it.

`look` starts as root without any capability and goes down from `/`. Where a folder belongs to somebody else, and where
one may not be entered, it goes on as the owner of the deepest folder that was reached: from `/` again, in another
process. So root sees what is root's, and every other user's files are seen as that user alone sees them.
"""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from homeportd.ports.owner_reader.child import in_child
from homeportd.ports.owner_reader.protocol import working_tree_from_json, working_tree_to_json
from homeportd.repos import files
from homeportd.repos.discovery import read_working_tree
from homeportd.repos.model import WorkingTree

TREE_S = 3.0  # seconds for one user's look
DIRTY_S = 13.0  # the same with git, which has ten of them
MAX_USERS = 4  # root, the folder's owner, the repository's, and one to spare

Identity = tuple[int, int]  # device and inode


@dataclass(frozen=True)
class Seen:
    """The result of one user's look: a working tree, and the user to look next, None where this was the right one."""

    tree: WorkingTree | None
    next_uid: int | None


def look(
    folder: Path, expected: Identity | None, first: int | None, dirty: bool
) -> WorkingTree | bool | None:
    """The working tree around a folder, or whether it has changes; None where there is none or nobody can tell.

    `expected` is what the folder must be, so that a path of another mount namespace leads nowhere. `first`: look as
    this user and no other.
    """
    found: tuple[int, WorkingTree] | None = None
    uid, tried = first or 0, set[int]()
    while uid not in tried and len(tried) < MAX_USERS:
        tried.add(uid)
        seen = _seen_by(uid, folder, expected)
        if seen is None:
            break
        if seen.tree is not None:
            found = uid, seen.tree
        if seen.next_uid is None or first is not None:
            break
        uid = seen.next_uid
    if found is None:
        return None
    uid, tree = found
    if not dirty:
        return tree
    answer = in_child(uid, lambda: _dirty(folder, expected, tree), DIRTY_S)
    return answer if isinstance(answer, bool) else None


def _seen_by(uid: int, folder: Path, expected: Identity | None) -> Seen | None:
    answer = in_child(uid, lambda: _see(folder, expected), TREE_S)
    try:
        tree = working_tree_from_json(answer["tree"]) if answer["tree"] else None
        next_uid = answer["next_uid"]
        return Seen(tree, None if next_uid is None else int(next_uid))
    except (ValueError, TypeError, KeyError):
        return None


def _dirty(folder: Path, expected: Identity | None, tree: WorkingTree) -> bool | None:
    import asyncio  # not before it is needed: it is most of this process's memory

    from homeportd.repos.status import is_dirty

    git = shutil.which("git")
    if git is None or find(folder, expected).tree != tree:  # it is another one by now
        return None
    return asyncio.run(is_dirty(git, tree))


def _see(folder: Path, expected: Identity | None) -> dict[str, Any]:
    seen = find(folder, expected)
    return {"tree": working_tree_to_json(seen.tree) if seen.tree else None, "next_uid": seen.next_uid}


def find(folder: Path, expected: Identity | None) -> Seen:
    """The look of this process's user around a folder."""
    me = os.getuid()
    reached, owner = _walk(folder, expected, me)
    if not reached:
        return Seen(None, owner)
    for path in (folder, *folder.parents[:-1]):
        status = _lstat(path / ".git")
        if status is None:
            continue
        other = _other(status, me)
        if me == 0 and other is not None:
            return Seen(None, other)  # root does not even read whether it is one
        if files.git_dir(path) is not None:
            mine = path.name.isprintable() and (me != 0 or _is_roots(path))
            return Seen(read_working_tree(path) if mine else None, other)
        if other is not None:
            return Seen(None, other)  # it may be one that its owner can read
    return Seen(None, None)


def _walk(folder: Path, expected: Identity | None, me: int) -> tuple[bool, int | None]:
    """Whether a folder was reached from `/` without a symbolic link; and who might get further."""
    descriptor = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        for name in folder.parts[1:]:
            try:
                below = os.open(
                    name,
                    os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC,
                    dir_fd=descriptor,
                )
            except PermissionError:
                return False, _other(status, me)
            except OSError:
                return False, None
            os.close(descriptor)
            descriptor = below
            status = os.fstat(descriptor)
            if me == 0 and not _for_root(status):
                return False, _other(status, me)
        reached = expected is None or (status.st_dev, status.st_ino) == expected
        return reached, None
    finally:
        os.close(descriptor)


def _for_root(status: os.stat_result) -> bool:
    """Whether root may go into a folder: nobody else can put something in its way there."""
    open_to_all = bool(status.st_mode & stat.S_IWOTH) and not status.st_mode & stat.S_ISVTX
    return status.st_uid == 0 and not open_to_all


def _is_roots(path: Path) -> bool:
    """Whether the git folders of a tree, which may lie elsewhere, are root's all the way."""
    folder = files.git_dir(path)
    return folder is not None and all(_reaches(each) for each in {folder, files.common_dir(folder)})


def _reaches(folder: Path) -> bool:
    with suppress(OSError):
        return _walk(folder, None, 0)[0]
    return False


def _lstat(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except OSError:
        return None


def _other(status: os.stat_result | None, me: int) -> int | None:
    return status.st_uid if status is not None and status.st_uid != me else None
