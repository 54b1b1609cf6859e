"""Working trees that the agent may not enter, as the owner reader reports them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from homeportd.repos.description import DescribedTree, describe
from homeportd.repos.model import WorkingTree
from homeportd.signal import Signal
from homeportd.tasks import TaskSet

MAX_FOLDERS = 64  # that are asked about


class Reader(Protocol):
    """Looks where the agent may not: around folders of listeners that the reader itself reported to the agent."""

    async def tree(self, folder: Path) -> WorkingTree | None:
        """The working tree around a folder, None where there is none. Raises OSError without an answer."""

    async def dirty(self, folder: Path) -> bool | None:
        """Whether the working tree around a folder has changes, None if unknown. Raises OSError without an answer."""


class ForeignTrees:
    """The reader's answers, each good until the next one. `reader` None: there are none.

    The reader is asked beside the caller, since another user's file system may hang for longer than the agent's own.
    """

    def __init__(self, root: Path, reader: Reader | None) -> None:
        """`root`: the repo root, below which a tree would be moved."""
        self.changed: Signal[[]] = Signal()  # `trees()` or an answer of `dirty` may not be what it was
        self._root = root
        self._reader = reader
        self._tasks = TaskSet()
        self._folders: frozenset[Path] = frozenset()
        self._looking: asyncio.Task[None] | None = None
        self._asking_dirty: dict[Path, asyncio.Task[None]] = {}
        self._answers: dict[Path, WorkingTree] = {}  # by the folder that was asked about
        self._trees: tuple[DescribedTree, ...] = ()
        self._dirty: dict[Path, bool | None] = {}

    def trees(self) -> tuple[DescribedTree, ...]:
        """All trees, each once."""
        return self._trees

    def dirty(self, path: Path) -> bool | None:
        """Whether the tree at a path has changes, as the reader last knew; None without an answer."""
        return self._dirty.get(path)

    def look(self, folders: frozenset[Path]) -> None:
        """Begin to ask about each folder; the answers for other folders are forgotten."""
        self._folders = folders
        if self._looking is None or self._looking.done():
            self._looking = self._tasks.spawn(self._look(), "repos: owner reader")

    async def looked(self, patience_s: float) -> None:
        """Wait for the answers to `look`, for `patience_s` at most."""
        if self._looking is not None:
            await asyncio.wait({self._looking}, timeout=patience_s)

    async def refresh_dirty(self, path: Path, folders: Iterable[Path], patience_s: float) -> None:
        """Ask whether the tree at a path has changes, and wait for `patience_s` at most: `changed` has the answer.

        `folders` are those of listeners; the reader is asked by one that is in the tree.
        """
        if path not in self._asking_dirty:
            asking = self._tasks.spawn(self._ask_dirty(path, tuple(folders)), f"repos: changes in {path}")
            self._asking_dirty[path] = asking
            asking.add_done_callback(lambda _task: self._asking_dirty.pop(path, None))
        await asyncio.wait({self._asking_dirty[path]}, timeout=patience_s)

    def forget_others(self, paths: Iterable[Path]) -> None:
        """Drop what was answered about changes of trees at other paths."""
        for path in self._dirty.keys() - set(paths):
            del self._dirty[path]

    async def close(self, patience_s: float) -> None:
        """Stop asking."""
        await self._tasks.close(patience_s)

    async def _look(self) -> None:
        asked: frozenset[Path] | None = None
        while asked != self._folders:  # they may change while the reader answers
            asked = self._folders
            await self._ask_trees(asked)
            trees = {tree.path: tree for tree in self._answers.values()}
            self._trees = await asyncio.to_thread(describe, self._root, trees.values()) if trees else ()
            self.changed.emit()

    async def _ask_trees(self, folders: frozenset[Path]) -> None:
        wanted = sorted(folders)[:MAX_FOLDERS]
        self._answers = {folder: tree for folder, tree in self._answers.items() if folder in wanted}
        if self._reader is None or not wanted:
            return
        async with asyncio.TaskGroup() as group:
            for folder in wanted:
                group.create_task(self._ask_tree(self._reader, folder))

    async def _ask_tree(self, reader: Reader, folder: Path) -> None:
        try:
            tree = await reader.tree(folder)
        except OSError:
            return  # the answer before is good until the next one
        self._answers.pop(folder, None)
        if tree is not None:
            self._answers[folder] = tree

    async def _ask_dirty(self, path: Path, folders: tuple[Path, ...]) -> None:
        inside = [folder for folder, tree in self._answers.items() if tree.path == path]
        inside += [folder for folder in folders if not inside and folder.is_relative_to(path)]
        try:
            answer = await self._reader.dirty(inside[0]) if self._reader is not None and inside else None
        except OSError:
            return
        self._dirty[path] = answer
        self.changed.emit()
