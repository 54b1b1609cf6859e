"""Descriptions of working trees: owner's name and hand-over commands. Reads accounts and the disk: for a thread."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from homeportd.accounts import own_name, user_name
from homeportd.repos.model import WorkingTree, handover


@dataclass(frozen=True)
class DescribedTree:
    """A working tree, the user whose folder it is, and the commands as in `Repo.handover`."""

    tree: WorkingTree
    owner: str
    handover: tuple[tuple[str, ...], ...]


def describe(root: Path, trees: Iterable[WorkingTree]) -> tuple[DescribedTree, ...]:
    """Describe each tree; a tree that cannot stay where it is would be moved below `root`."""
    homes: frozenset[Path] | None = None
    described = []
    for tree in trees:
        commands: tuple[tuple[str, ...], ...] = ()
        if tree.uid != os.getuid():
            if homes is None:
                homes = frozenset(Path(account.pw_dir) for account in pwd.getpwall())
            reachable = os.access(tree.path.parent, os.X_OK)
            commands = handover(tree, own_name(), reachable, _free(root, tree.path.name), homes)
        described.append(DescribedTree(tree, user_name(tree.uid), commands))
    return tuple(described)


def _free(root: Path, name: str) -> Path:
    """A path of this name below `root` where nothing is yet."""
    target, count = root / name, 2
    while os.path.lexists(target):
        target, count = root / f"{name}-{count}", count + 1
    return target
