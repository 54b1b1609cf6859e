"""Terminals: shells of the agent's user in repos. They run as processes, so a restart of the agent ends none."""

from __future__ import annotations

import asyncio
import os
import pwd
import time
from pathlib import Path
from typing import Final

from homeportd.errors import Problem, not_found
from homeportd.preferences.service import Preferences
from homeportd.processes.model import Process, ProcessSpec, TerminalSize
from homeportd.processes.service import Processes
from homeportd.repos.model import Repo
from homeportd.tasks import TaskSet
from homeportd.terminal.model import MAX_TERMINALS, key_of, new_id, repo_key
from homeportd.terminal.preferences import SECTION, TerminalPreferences

UNSEEN_S: Final = (
    24 * 3600.0
)  # how long a terminal lives that no page shows: a build goes on while a phone sleeps
SWEEP_S: Final = 60.0
STOP_S: Final = 3.0  # for what runs in a terminal, before it is killed
NO_LOGIN: Final = frozenset({"nologin", "false"})


class Terminals:
    """The open terminals of all repos."""

    def __init__(self, processes: Processes, preferences: Preferences) -> None:
        self._processes = processes
        self._preferences = preferences
        self._pages: dict[str, int] = {}  # id -> pages that show it
        self._left: dict[str, float] = {}  # id -> monotonic, when the last page went
        self._tasks = TaskSet()
        self._opening = asyncio.Lock()
        preferences.changed.subscribe(self._changed)
        processes.exited.subscribe(self._ended)

    async def start(self) -> None:
        """Forget what ended while no agent ran, and end what must not be open."""
        for process in self._processes.all():
            if key_of(process.id) is not None and not self._processes.running(process.id):
                await self._processes.remove(process.id)
        self._changed(SECTION)

    async def close(self) -> None:
        """Let go of the terminals; they stay open."""
        await self._tasks.close()

    def all(self) -> list[Process]:
        """Those that are open, the oldest first."""
        found = [
            each for each in self._processes.all() if key_of(each.id) and self._processes.running(each.id)
        ]
        return sorted(found, key=lambda each: each.started_at)

    def of(self, repo: Repo) -> list[Process]:
        """Those that are open in a repo."""
        return [each for each in self.all() if key_of(each.id) == repo_key(repo.path)]

    async def open(self, repo: Repo, size: TerminalSize) -> Process:
        """Open a terminal in a repo. Raises Problem 403 where they are switched off, 429 where too many are open."""
        self._check()
        async with self._opening:
            if len(self.all()) >= MAX_TERMINALS:
                raise Problem(429, f"{MAX_TERMINALS} terminals are open", "close one of them")
            shell = login_shell()
            process = await self._processes.start(
                ProcessSpec(
                    new_id(repo.path),
                    [shell, "-l"],
                    repo.path,
                    {"SHELL": shell, "HOMEPORT_REPO": repo.id},
                    interactive=True,
                    size=size,
                    stop_timeout_s=STOP_S,
                )
            )
        if process.exit is not None and process.exit.failure is not None:
            detail = process.exit.failure
            raise Problem(
                409, f"no terminal in {repo.id}: {detail}", "look at the owner of the repo's folder"
            )
        return process

    def get(self, repo: Repo, id: str) -> Process:
        """An open terminal of a repo. Raises Problem 403, 404."""
        self._check()
        found = next((each for each in self.of(repo) if each.id == id), None)
        if found is None:
            raise not_found("this terminal", "open another one")
        return found

    async def end(self, id: str) -> None:
        """End a terminal with everything in it. Raises Problem 404."""
        if key_of(id) is None or self._processes.get(id) is None:
            raise not_found("this terminal", "open another one")
        await self._processes.remove(id)

    def seen(self, id: str, *, by: int) -> None:
        """Count pages that show a terminal: `by` is 1 when one begins, -1 when it ends."""
        left = self._pages.get(id, 0) + by
        if left > 0:
            self._pages[id] = left
            self._left.pop(id, None)
        else:
            self._pages.pop(id, None)
            self._left[id] = time.monotonic()

    async def sweep(self) -> None:
        """End what no page has shown for UNSEEN_S."""
        now = time.monotonic()
        open_ids = {each.id for each in self.all()}
        self._left = {id: since for id, since in self._left.items() if id in open_ids}
        for id in open_ids - self._pages.keys():
            if now - self._left.setdefault(id, now) > UNSEEN_S:
                await self._processes.remove(id)

    def _check(self) -> None:
        if not self._preferences.get(SECTION, TerminalPreferences).enabled:
            raise Problem(403, "terminals are switched off", "switch them on in the dashboard's settings")

    def _changed(self, section: str) -> None:
        if section == SECTION and not self._preferences.get(SECTION, TerminalPreferences).enabled:
            for process in self.all():
                self._tasks.spawn(self._processes.remove(process.id), f"end of {process.id}")

    def _ended(self, process: Process) -> None:
        """Forget a terminal once its pages have had time to read its last output."""
        if key_of(process.id) is not None:
            self._tasks.spawn(self._forget(process.id), f"remains of {process.id}")

    async def _forget(self, id: str) -> None:
        await asyncio.sleep(STOP_S)
        await self._processes.remove(id)


def login_shell() -> str:
    """The shell of the agent's user; bash or sh where that is none for people."""
    shell = pwd.getpwuid(os.getuid()).pw_shell
    if shell and Path(shell).name not in NO_LOGIN and Path(shell).exists():
        return shell
    return "/bin/bash" if Path("/bin/bash").exists() else "/bin/sh"
