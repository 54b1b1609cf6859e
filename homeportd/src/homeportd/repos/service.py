"""The repos of this machine: those below the repo root, and those that the processes behind ports run in."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from homeportd.accounts import user_name
from homeportd.repos.discovery import Discovery, is_hidden
from homeportd.repos.foreign import Foreign, Reader, handovers
from homeportd.repos.model import Repo, WorkingTree, ids
from homeportd.repos.status import is_dirty
from homeportd.settings import Settings
from homeportd.signal import Signal

PERIOD = 10.0  # seconds from look to look
PATIENCE = 2.0  # seconds that `visit` and `start` wait for the file system, which may be a dead network one
DIRTY_AGE = 5.0  # seconds that an answer of git is good for
DIRTY_AT_ONCE = 2  # runs of git at a time

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Owned:
    owner: str
    handover: tuple[tuple[str, ...], ...]


class Repos:
    """What is known of the repos. Whether they have changes is known once somebody asked: `refresh_dirty`.

    `reader` tells of those around processes which the agent may not enter.
    """

    def __init__(self, settings: Settings, reader: Reader | None = None) -> None:
        self._root = settings.repo_root
        self._discovery = Discovery(self._root)
        self._foreign = Foreign(reader)
        self._own: tuple[WorkingTree, ...] = ()  # as found with the agent's own rights
        self._places: tuple[WorkingTree, ...] = ()
        self._known: dict[Path, _Owned] = {}
        self._dirty: dict[Path, bool | None] = {}
        self._asked: dict[Path, float] = {}  # when git was last run there, monotonic seconds
        self._repos: tuple[Repo, ...] = ()
        self._by_path: dict[Path, Repo] = {}
        self._folders: frozenset[Path] = frozenset()
        self.changed: Signal[[]] = Signal()  # `all()` is not what it was
        self._looking: asyncio.Task[None] | None = None
        self._asking_reader: asyncio.Task[None] | None = None
        self._asking_dirt: dict[Path, asyncio.Task[None]] = {}
        self._hidden: frozenset[Path] = frozenset()  # folders that only the reader can look around
        self._asking = asyncio.Lock()
        self._taking = asyncio.Lock()
        self._loop: asyncio.Task[None] | None = None
        self._failing = False

    async def start(self) -> None:
        """Look once, and then every ten seconds."""
        await self._look()
        self._loop = asyncio.create_task(self._run(), name="repos")

    async def close(self) -> None:
        """Stop looking."""
        for task in (self._loop, self._looking, self._asking_reader, *self._asking_dirt.values()):
            if task is not None:
                task.cancel()
                await asyncio.wait({task}, timeout=PATIENCE)
        self._loop = self._looking = self._asking_reader = None

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
        """These are all the folders that processes run in now; the repos around them are repos of ours.

        Returns when they are known, or after PATIENCE seconds on a file system that does not answer.
        """
        if folders == self._folders:
            return
        new = folders - self._folders
        self._folders = folders
        if new:  # a folder that was left needs no look: a dev server that restarts comes right back
            await self._look()

    async def refresh_dirty(self) -> None:
        """Ask git about each repo whose answer is older than DIRTY_AGE; `all()` then has the answers."""
        git = shutil.which("git")
        clock = asyncio.get_running_loop().time
        async with self._asking:  # who comes while git runs waits for that answer
            due = [
                place
                for place in self._places
                if self._asked.get(place.path, -DIRTY_AGE) + DIRTY_AGE <= clock()
            ]
            if not due:
                return
            slots = asyncio.Semaphore(DIRTY_AT_ONCE)

            async def ask(place: WorkingTree) -> None:
                own = git is not None and place in self._own
                async with slots:
                    answer = await is_dirty(git, place) if own and git is not None else None
                if answer is None and place.uid != os.getuid():
                    await self._ask_reader_for_dirt(place.path)
                else:
                    self._dirty[place.path] = answer
                self._asked[place.path] = clock()

            async with asyncio.TaskGroup() as group:
                for place in due:
                    group.create_task(ask(place))
        self._show()

    async def _ask_reader_for_dirt(self, path: Path) -> None:
        """Ask about another user's tree; one that does not answer soon is shown when it does."""
        if path in self._asking_dirt:
            return

        async def ask() -> None:
            try:
                self._dirty[path] = await self._foreign.dirty(path, self._folders)
                self._show()
            except OSError:
                pass  # what was told holds until the next answer
            finally:
                del self._asking_dirt[path]

        self._asking_dirt[path] = asyncio.create_task(ask(), name=f"repos: changes in {path}")
        await asyncio.wait({self._asking_dirt[path]}, timeout=PATIENCE)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(PERIOD)
            await self._look()

    async def _look(self) -> None:
        """Look, or wait for the look that is under way and then look if it did not know what we do."""
        if self._looking is not None and not self._looking.done():
            await asyncio.wait({self._looking}, timeout=PATIENCE)
            if not self._looking.done():
                return
        self._looking = asyncio.create_task(self._find(), name="repos: look")
        await asyncio.wait({self._looking}, timeout=PATIENCE)
        if self._asking_reader is not None:
            await asyncio.wait({self._asking_reader}, timeout=PATIENCE)

    async def _find(self) -> None:
        try:
            self._own, hidden = await asyncio.to_thread(self._find_own)
            await self._take()
        except Exception as error:
            if not self._failing:
                log.error("cannot look for repos: %s: %s", type(error).__name__, error)
            self._failing = True
            return
        self._failing = False
        # Asked beside, since another user's file system may hang for longer than ours.
        self._hidden = hidden
        if self._asking_reader is None or self._asking_reader.done():
            self._asking_reader = asyncio.create_task(self._ask_reader(), name="repos: reader")

    def _find_own(self) -> tuple[tuple[WorkingTree, ...], frozenset[Path]]:
        places = self._discovery.look(self._folders)
        return places, frozenset(folder for folder in self._folders if is_hidden(folder))

    async def _ask_reader(self) -> None:
        asked: frozenset[Path] | None = None
        try:
            while asked != self._hidden:
                asked = self._hidden
                await self._foreign.look(asked)
                await self._take()
        except Exception:
            log.exception("asking the owner reader for repos failed")

    async def _take(self) -> None:
        """Make one list of what both found; where both did, it is the agent's own."""
        async with self._taking:
            places = {place.path: place for place in (*self._foreign.places(), *self._own)}
            self._known = await asyncio.to_thread(self._describe, tuple(places.values()))
            self._places = tuple(places.values())
            self._show()

    def _describe(self, places: tuple[WorkingTree, ...]) -> dict[Path, _Owned]:
        commands = handovers(self._root, places)
        return {place.path: _Owned(user_name(place.uid), commands.get(place.path, ())) for place in places}

    def _show(self) -> None:
        known = {place.path for place in self._places}
        for table in (self._dirty, self._asked):
            for path in table.keys() - known:
                del table[path]
        names = ids(self._root, known)
        repos = tuple(
            sorted(
                (
                    Repo(
                        names[each.path],
                        each.path.name,
                        each.path,
                        each.branch,
                        self._dirty.get(each.path),
                        each.remote,
                        self._known[each.path].owner,
                        self._known[each.path].handover,
                    )
                    for each in self._places
                ),
                key=lambda repo: repo.id,
            )
        )
        if repos == self._repos:
            return
        self._repos = repos
        self._by_path = {repo.path: repo for repo in repos}
        self.changed.emit()
