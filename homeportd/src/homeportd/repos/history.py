"""The history of repos: when each was first seen on this machine, and when it last changed its branch or remote."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from homeportd import clock
from homeportd.database import Database
from homeportd.repos.model import Repo
from homeportd.repos.service import Repos
from homeportd.tasks import TaskSet

KEPT: Final = 4096  # repos, the last changed


@dataclass(frozen=True)
class Record:
    """The times of a repo, by its path."""

    created_at: datetime
    updated_at: datetime


class RepoHistory:
    """Follows the repos from `start` on."""

    def __init__(self, database: Database, repos: Repos) -> None:
        self._database = database
        self._repos = repos
        self._records: dict[str, Record] = {}
        self._seen: dict[str, tuple[str | None, str | None]] = {}  # path -> (branch, remote) as last seen
        self._tasks = TaskSet()
        self._writing = asyncio.Lock()

    async def start(self) -> None:
        """Read what is known, and take in the repos of now. Raises sqlite3.Error."""
        rows = await self._database.all("SELECT path, created_at, updated_at FROM repos")
        self._records = {
            str(path): Record(clock.from_text(str(created)), clock.from_text(str(updated)))
            for path, created, updated in rows
        }
        self._repos.changed.subscribe(self._changed)
        self._changed()

    def of(self, repo: Repo) -> Record | None:
        """The times of a repo."""
        return self._records.get(str(repo.path))

    async def close(self) -> None:
        """Finish what is being written."""
        await self._tasks.finish()

    def _changed(self) -> None:
        changed = []
        for repo in self._repos.all():
            path, now = str(repo.path), clock.now()
            state = (repo.branch, repo.remote)
            before, record = self._seen.get(path), self._records.get(path)
            self._seen[path] = state
            if record is not None and before in (None, state):
                continue
            self._records[path] = Record(record.created_at if record else now, now)
            changed.append((path, repo.name, repo.remote))
        if changed:
            self._tasks.spawn(self._write(changed), "repos: history")

    async def _write(self, changed: list[tuple[str, str, str | None]]) -> None:
        rows = [
            (path, name, remote, clock.to_text(record.created_at), clock.to_text(record.updated_at))
            for path, name, remote in changed
            if (record := self._records.get(path)) is not None
        ]
        async with self._writing, self._database.transaction() as connection:
            await connection.executemany(
                "INSERT OR REPLACE INTO repos (path, name, remote, created_at, updated_at) VALUES (?,?,?,?,?)",
                rows,
            )
            await connection.execute(
                "DELETE FROM repos WHERE path NOT IN (SELECT path FROM repos ORDER BY updated_at DESC LIMIT ?)",
                (KEPT,),
            )
