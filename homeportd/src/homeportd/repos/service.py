"""The repos of this machine: those below the repo root, and those that the processes behind ports run in."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from homeportd.errors import not_found
from homeportd.repos.description import DescribedTree, describe
from homeportd.repos.discovery import Discovery, is_hidden
from homeportd.repos.foreign import ForeignTrees, Reader
from homeportd.repos.model import Repo, WorkingTree, ids
from homeportd.repos.settings import ReposSettings
from homeportd.repos.status import is_dirty
from homeportd.signal import Signal
from homeportd.tasks import TaskSet

PERIOD = 10.0  # seconds from look to look
PATIENCE = 2.0  # seconds that `visit` and `start` wait for the file system, which may be a dead network one
DIRTY_AGE = 5.0  # seconds that an answer of git is good for
DIRTY_AT_ONCE = 2  # runs of git at a time
SLOW_AT_ONCE = 2  # beside them, that have run for longer than PATIENCE
SLOW_S, SLOW_AGE = 5.0, 60.0  # an answer of git that took longer than the one is good for the other

log = logging.getLogger(__name__)


class Repos:
    """All known repos. Whether a repo has changes is known once somebody asked: `refresh_dirty`.

    `reader` knows of repos around processes which the agent may not enter.
    """

    def __init__(self, settings: ReposSettings, reader: Reader | None = None) -> None:
        self.changed: Signal[[]] = Signal()  # `all()` is not what it was
        self._root = settings.repo_root
        self._discovery = Discovery(self._root)
        self._foreign = ForeignTrees(self._root, reader)
        self._foreign.changed.subscribe(self._show)
        self._own: dict[Path, DescribedTree] = {}  # as found with the agent's own rights
        self._trees: dict[Path, DescribedTree] = {}  # the reader's too
        self._dirty: dict[Path, bool | None] = {}
        self._asked: dict[Path, float] = {}  # when git was last run there, monotonic seconds
        self._repos: tuple[Repo, ...] = ()
        self._by_path: dict[Path, Repo] = {}
        self._folders: frozenset[Path] = frozenset()
        self._tasks = TaskSet()
        self._looking: asyncio.Task[None] | None = None
        self._dirty_looks: dict[Path, tuple[float, asyncio.Task[None]]] = {}  # (begun, look)
        self._slow: set[Path] = set()  # where the last look took longer than SLOW_S
        self._slots = asyncio.Semaphore(DIRTY_AT_ONCE)
        self._slow_slots = asyncio.Semaphore(SLOW_AT_ONCE)
        self._failing = False

    async def start(self) -> None:
        """Look once, and then every PERIOD."""
        await self.look()
        self._tasks.repeat(PERIOD, self.look, "repos")

    async def close(self) -> None:
        """Stop looking."""
        await self._tasks.close(PATIENCE)
        await self._foreign.close(PATIENCE)

    @property
    def root(self) -> Path:
        """The repo root."""
        return self._root

    def get(self, repo: str) -> Repo:
        """A repo by its id. Raises Problem 404."""
        found = next((each for each in self._repos if each.id == repo), None)
        if found is None:
            raise not_found(f"the repo {repo[:100]!r}", "homeport repos lists them")
        return found

    def at(self, path: Path) -> Repo | None:
        """The repo whose folder this is."""
        return self._by_path.get(path)

    def all(self) -> tuple[Repo, ...]:
        """All repos, sorted by id."""
        return self._repos

    def of(self, path: Path) -> Repo | None:
        """The innermost known repo that a folder is in; from memory, without touching the disk."""
        for folder in (path, *path.parents):
            repo = self._by_path.get(folder)
            if repo is not None:
                return repo
        return None

    async def visit(self, folders: frozenset[Path]) -> None:
        """Take `folders` for all those that processes run in now; the repos around them are repos of ours.

        Returns when they are known, or after PATIENCE seconds on a file system that does not answer.
        """
        if folders == self._folders:
            return
        new = folders - self._folders
        self._folders = folders
        if new:  # a folder that was left needs no look: a dev server that restarts comes right back
            await self.look()

    async def refresh_dirty(self) -> None:
        """Ask git about each repo whose answer is older than DIRTY_AGE; `all()` then has the answers.

        Returns after PATIENCE at the latest. What takes longer goes on, and `changed` tells its answer; meanwhile the
        one before counts. There is one look at a repo at a time, and none soon after one that took long.
        """
        now = asyncio.get_running_loop().time()
        for path in self._trees.keys() - self._dirty_looks.keys():
            age = SLOW_AGE if path in self._slow else DIRTY_AGE
            if self._asked.get(path, -age) + age <= now:
                own = path in self._own
                look = self._tasks.spawn(
                    self._look_dirty(self._trees[path].tree, own), f"repos: changes in {path}"
                )
                self._dirty_looks[path] = (now, look)
                look.add_done_callback(partial(self._end_dirty_look, path))
        # Not for those that are known to be slow: every caller would wait for them.
        young = [(begun, look) for begun, look in self._dirty_looks.values() if begun + PATIENCE > now]
        if young:
            left = max(begun for begun, _ in young) + PATIENCE - now
            await asyncio.wait({look for _, look in young}, timeout=left)
        self._show()

    async def _look_dirty(self, tree: WorkingTree, own: bool) -> None:
        clock = asyncio.get_running_loop().time
        git = shutil.which("git") if own else None
        answer = None
        begun = clock()
        if git is not None:
            answer = await self._in_turn(partial(is_dirty, git, tree))
        if answer is None and tree.uid != os.getuid():
            await self._foreign.refresh_dirty(tree.path, self._folders, PATIENCE)
        if tree.path not in self._trees:
            return
        (self._slow.add if clock() - begun > SLOW_S else self._slow.discard)(tree.path)
        self._dirty[tree.path] = answer
        self._asked[tree.path] = clock()
        self._show()

    async def _in_turn(self, ask: Callable[[], Coroutine[Any, Any, bool | None]]) -> bool | None:
        """The answer of one run of git. One that is slow makes room for others, as long as there are few such."""
        await self._slots.acquire()
        held = self._slots
        running = asyncio.ensure_future(ask())
        try:
            await asyncio.wait({running}, timeout=PATIENCE)
            if not running.done() and not self._slow_slots.locked():
                await self._slow_slots.acquire()
                held.release()
                held = self._slow_slots
            return await running
        finally:
            running.cancel()
            held.release()

    def _end_dirty_look(self, path: Path, _look: asyncio.Task[None]) -> None:
        self._dirty_looks.pop(path, None)

    async def look(self) -> None:
        """Look for repos, after the look that is under way, which did not know the newest folders."""
        if self._looking is not None and not self._looking.done():
            await asyncio.wait({self._looking}, timeout=PATIENCE)
            if not self._looking.done():
                return
        self._looking = self._tasks.spawn(self._find(), "repos: look")
        await asyncio.wait({self._looking}, timeout=PATIENCE)
        await self._foreign.looked(PATIENCE)

    async def _find(self) -> None:
        try:
            found, hidden = await asyncio.to_thread(self._find_own)
            self._own = {each.tree.path: each for each in found}
            self._show()
        except Exception as error:
            if not self._failing:
                log.error("cannot look for repos: %s: %s", type(error).__name__, error)
            self._failing = True
            return
        self._failing = False
        self._foreign.look(hidden)

    def _find_own(self) -> tuple[tuple[DescribedTree, ...], frozenset[Path]]:
        """The trees that the agent may read, and the folders around which only the reader may look."""
        found = describe(self._root, self._discovery.look(self._folders))
        return found, frozenset(folder for folder in self._folders if is_hidden(folder))

    def _show(self) -> None:
        """Make `all()` of what the agent and the reader have found; where both found a tree, the agent's counts."""
        self._trees = {each.tree.path: each for each in self._foreign.trees()} | self._own
        for table in (self._dirty, self._asked):
            for path in table.keys() - self._trees.keys():
                del table[path]
        self._slow &= self._trees.keys()
        self._foreign.forget_others(self._trees)
        names = ids(self._root, self._trees)
        repos = tuple(
            sorted(
                (self._repo(names[path], each) for path, each in self._trees.items()),
                key=lambda repo: repo.id,
            )
        )
        if repos == self._repos:
            return
        self._repos = repos
        self._by_path = {repo.path: repo for repo in repos}
        self.changed.emit()

    def _repo(self, name: str, described: DescribedTree) -> Repo:
        tree = described.tree
        dirty = self._dirty.get(tree.path)
        return Repo(
            id=name,
            name=tree.path.name,
            path=tree.path,
            branch=tree.branch,
            dirty=self._foreign.dirty(tree.path) if dirty is None else dirty,
            remote=tree.remote,
            owner=described.owner,
            handover=described.handover,
            clone=tree.common_dir,
            uid=tree.uid,
        )
