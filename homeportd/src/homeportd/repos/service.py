"""The repos of this machine: those below the repo root, and those that the processes behind ports run in."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from pathlib import Path

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
        self._asking = asyncio.Lock()
        self._failing = False

    async def start(self) -> None:
        """Look once, and then every PERIOD."""
        await self._look()
        self._tasks.repeat(PERIOD, self._look, "repos")

    async def close(self) -> None:
        """Stop looking."""
        await self._tasks.close(PATIENCE)
        await self._foreign.close(PATIENCE)

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
            await self._look()

    async def refresh_dirty(self) -> None:
        """Ask git about each repo whose answer is older than DIRTY_AGE; `all()` then has the answers.

        An owner reader that does not answer within PATIENCE has its answer shown when it comes.
        """
        git = shutil.which("git")
        clock = asyncio.get_running_loop().time
        async with self._asking:  # a second caller waits for the same runs of git
            due = [path for path in self._trees if self._asked.get(path, -DIRTY_AGE) + DIRTY_AGE <= clock()]
            if not due:
                return
            slots = asyncio.Semaphore(DIRTY_AT_ONCE)

            async def ask(tree: WorkingTree, own: bool) -> None:
                answer = None
                if own and git is not None:
                    async with slots:
                        answer = await is_dirty(git, tree)
                self._dirty[tree.path] = answer
                if answer is None and tree.uid != os.getuid():
                    await self._foreign.refresh_dirty(tree.path, self._folders, PATIENCE)
                self._asked[tree.path] = clock()

            async with asyncio.TaskGroup() as group:
                for path in due:
                    group.create_task(ask(self._trees[path].tree, path in self._own))
        self._show()

    async def _look(self) -> None:
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
