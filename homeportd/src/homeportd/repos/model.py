"""A repo: a git working tree that Homeport knows of, and the names by which it is known."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from homeportd.printable import printable

_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")  # what an id has no room for: it goes into addresses and commands


@dataclass(frozen=True)
class Repo:
    """A working tree; a linked worktree is a Repo of its own.

    `branch` is the short commit id where HEAD is detached. `dirty` is None as long as nobody asked, and where
    git cannot tell. `remote` carries no credentials. `owner` is the user whose folder it is; `handover` are the
    commands, for root, that make it the agent's, empty where it is that already or better stays as it is. `clone` is
    the git folder that it shares with its other worktrees, `uid` the user whose folder it is.
    """

    id: str
    name: str
    path: Path
    branch: str | None = None
    dirty: bool | None = None
    remote: str | None = None
    owner: str | None = None
    handover: tuple[tuple[str, ...], ...] = ()
    clone: Path | None = None
    uid: int | None = None


@dataclass(frozen=True)
class WorkingTree:
    """A working tree as found, before it has an id. `git_dir` is its own, `common_dir` that of its clone.

    `uid` is the owner of its folder.
    """

    path: Path
    git_dir: Path
    common_dir: Path
    branch: str | None
    remote: str | None
    uid: int


def ids(root: Path, paths: Iterable[Path]) -> dict[Path, str]:
    """An id for each path: its folder's name, followed by a short hash of the path where that name is taken.

    A function of the paths alone, so an id survives a restart. A folder directly below `root` always has its
    plain name, the others of that name come after it: those below `root`, then the rest, each in the order of
    their paths.
    """
    taken: dict[str, Path] = {}
    found: dict[Path, str] = {}
    for path in sorted(
        paths, key=lambda path: (path.parent != root, not path.is_relative_to(root), path.as_posix())
    ):
        plain = _UNFIT.sub("-", path.name).strip("-.") or "repo"
        name = plain
        length = 4
        while name in taken:
            digest = hashlib.sha256(path.as_posix().encode()).hexdigest()
            name = f"{plain}-{digest[:length]}"
            length += 4
        taken[name] = path
        found[path] = name
    return found


# Folders that are the system's, or somebody's whole home: these are not given away, though they may be working trees.
_SYSTEM = frozenset(
    {
        "bin",
        "boot",
        "dev",
        "etc",
        "lib",
        "lib32",
        "lib64",
        "libx32",
        "proc",
        "run",
        "sbin",
        "sys",
        "usr",
        "var",
    }
)
_BELOW_SYSTEM = (Path("/usr/local/src"), Path("/usr/src"), Path("/var/www"))


def handover(
    tree: WorkingTree, user: str, reachable: bool, target: Path, homes: frozenset[Path]
) -> tuple[tuple[str, ...], ...]:
    """The commands of root's that make a working tree `user`'s; none where that would do harm.

    `reachable`: that user can enter the folder it is in, so it may stay there; else it is moved to `target`.
    """
    path = tree.path
    below = any(path != each and path.is_relative_to(each) for each in _BELOW_SYSTEM)
    if len(path.parts) < 3 or path in homes or (path.parts[1] in _SYSTEM and not below):
        return ()
    if any(home.is_relative_to(path) for home in homes):
        return ()
    shared = () if tree.common_dir.is_relative_to(path) else (str(tree.common_dir),)
    if reachable:
        return (("chown", "-R", f"{user}:", str(path), *shared),)
    if shared:
        return ()  # a linked worktree is lost to its clone when it is moved
    return ("mv", str(path), str(target)), ("chown", "-R", f"{user}:", str(target))


_AUTHORITY = re.compile(r"^(?P<scheme>[A-Za-z][A-Za-z0-9+.:-]*://)(?P<user>[^/?#]*)@")


def without_credentials(url: str) -> str:
    """The address of a remote, fit to be shown: no password, no token, nothing that is not printable.

    Of `https://name:token@host/x` nothing before the host stays, since a token may stand in the name's place;
    of `ssh://git@host/x` the name does, as in `git@host:x`, which has no room for a password.
    """
    clean = printable(url)
    match = _AUTHORITY.match(clean)
    if match:
        name = match["user"].partition(":")[0] if match["scheme"].lower().endswith("ssh://") else ""
        clean = match["scheme"] + (f"{name}@" if name else "") + clean[match.end() :]
    if "://" in clean:
        clean = re.split(r"[?#]", clean, maxsplit=1)[0]
    return clean
