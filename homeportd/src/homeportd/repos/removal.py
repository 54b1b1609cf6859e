"""Removing a repo: refused while work would be lost, unless a person says so."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from homeportd.errors import HomeportError, Problem
from homeportd.jobs.model import Job
from homeportd.jobs.service import JobHandle, Jobs
from homeportd.printable import printable
from homeportd.repos import files
from homeportd.repos.discovery import read_working_tree
from homeportd.repos.git import own_config
from homeportd.repos.git.command import Git, GitError
from homeportd.repos.model import Repo
from homeportd.repos.service import Repos
from homeportd.repos.status import is_dirty
from homeportd.repos.updates import own

REMOVED: Final = ".homeport-removed-"  # prefix of the folder's name while its files are deleted
MAX_BRANCHES: Final = 200  # that are looked through for commits of their own
MAX_NAMED: Final = 5  # of a kind in a sentence
MAX_PROCESSES: Final = 65536  # that are looked at


class Removals:
    """Removes repos. `ports` gives (number, repo id) of what listens now."""

    def __init__(
        self, jobs: Jobs, repos: Repos, git: Git, ports: Callable[[], Iterable[tuple[int, str | None]]]
    ) -> None:
        self._jobs = jobs
        self._repos = repos
        self._git = git
        self._ports = ports

    async def start(self, repo: str, *, force: bool) -> Job:
        """Begin to remove a repo's folder. Raises Problem: 404; 409 outside the repo root, and for work that would be
        lost, unless `force`."""
        found = own(self._repos.get(repo))
        if found.path == self._repos.root or not found.path.is_relative_to(self._repos.root):
            raise Problem(
                409,
                f"{found.path} is not below {self._repos.root}, and so not Homeport's to remove",
                f"remove it yourself: rm -r {found.path}",
            )
        if not force:
            reasons = await self.reasons(found)
            if reasons:
                raise Problem(
                    409,
                    f"{repo} was not removed, since this would be lost or cut off: {'; '.join(reasons)}",
                    f"see to that first; or lose it: homeport remove {repo} --force",
                )

        async def work(job: JobHandle) -> None:
            await self._remove(job, found)

        return await self._jobs.start("remove", f"removal of {repo}", repo, work, exclusive=True)

    async def reasons(self, repo: Repo) -> list[str]:
        """The work in a repo that exists nowhere else, and what runs there; each a phrase."""
        ports = sorted({number for number, id_ in self._ports() if id_ == repo.id})
        found = (
            [f"port{'s' if len(ports) > 1 else ''} {_some(list(map(str, ports)))} in use"] if ports else []
        )
        processes = await asyncio.to_thread(_processes_in, repo.path)
        if processes:
            found.append(f"running there: {_some(processes)}")
        tree = await asyncio.to_thread(read_working_tree, repo.path)
        program = shutil.which("git")
        dirty = await is_dirty(program, tree) if program is not None and tree is not None else None
        if dirty is not False:
            found.append(
                "uncommitted changes" if dirty else "perhaps uncommitted changes, of which git cannot tell"
            )
        if tree is not None and tree.git_dir != tree.common_dir:
            return found  # its commits stay in the clone
        try:
            await own_config.check(self._git, repo.clone or repo.path, repo.path)
            found += await self._unpushed(repo.path)
        except (HomeportError, GitError) as error:
            found.append(f"perhaps commits: {error}")
        return found

    async def _unpushed(self, path: Path) -> list[str]:
        found = []
        listed = await self._ask(
            path, "for-each-ref", f"--count={MAX_BRANCHES}", "--format=%(refname)", "refs/heads"
        )
        heads = {name.removeprefix("refs/heads/"): name for name in listed.split()}
        if (await self._count(path, "HEAD", missing=0)) and not heads:
            heads["HEAD"] = "HEAD"
        elif files.branch(path / ".git") not in heads:
            heads["a detached HEAD"] = "HEAD"
        only_here = {name: await self._count(path, ref, missing=0) for name, ref in heads.items()}
        branches = [
            f"{name} ({count} commit{'s' if count > 1 else ''})" for name, count in only_here.items() if count
        ]
        if branches:
            found.append(f"commits that no remote has, on {_some(branches)}")
        with suppress(GitError):
            stashes = (await self._ask(path, "stash", "list", "--format=%gd")).split()
            if stashes:
                found.append(f"{len(stashes)} stash{'es' if len(stashes) > 1 else ''}")
        worktrees = [
            line.removeprefix("worktree ")
            for line in (await self._ask(path, "worktree", "list", "--porcelain")).splitlines()
            if line.startswith("worktree ")
        ]
        linked = await asyncio.to_thread(_present, worktrees, path)
        if linked:
            found.append(f"linked worktrees: {_some(linked)}")
        return found

    async def _ask(self, path: Path, *arguments: str) -> str:
        return await self._git.run(*arguments, folder=path)

    async def _count(self, path: Path, ref: str, missing: int) -> int:
        """Number of commits of `ref` that no remote branch has; `missing` where there is no such commit."""
        try:
            return int(await self._ask(path, "rev-list", "--count", ref, "--not", "--remotes", "--"))
        except (GitError, ValueError):
            return missing

    async def _remove(self, job: JobHandle, repo: Repo) -> None:
        hidden = repo.path.with_name(f"{REMOVED}{secrets.token_hex(8)}")
        try:
            await asyncio.to_thread(repo.path.rename, hidden)  # from now on it is gone, whatever happens
        except OSError as error:
            raise HomeportError(
                f"{repo.path} cannot be removed: {error.strerror}", f"see to the rights of {repo.path.parent}"
            ) from error
        await self._repos.look()
        job.step("deleting files")
        await asyncio.to_thread(shutil.rmtree, hidden, ignore_errors=True)
        if repo.clone is not None and not repo.clone.is_relative_to(repo.path):
            with suppress(GitError):
                await self._git.run("--git-dir", repo.clone, "worktree", "prune")
        if hidden.exists():
            job.note(f"some of its files belong to others, and are left at {hidden}")


def _present(worktrees: Iterable[str], path: Path) -> list[str]:
    """The worktrees that are there, but for that at `path`."""
    return [each for each in worktrees if Path(each) != path and Path(each).exists()]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more


def _processes_in(path: Path) -> list[str]:
    """The processes whose folder is in `path`: `vite (4711)`. Those of other users are not seen."""
    found = []
    inside = f"{path}{os.sep}"
    with suppress(OSError), os.scandir("/proc") as entries:
        for _, entry in zip(range(MAX_PROCESSES), entries, strict=False):
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            with suppress(OSError):
                folder = os.readlink(f"/proc/{entry.name}/cwd")  # noqa: PTH115 - text, of any bytes
                if folder == str(path) or folder.startswith(inside):
                    name = (files.read(Path(f"/proc/{entry.name}/comm")) or "?").strip()
                    found.append(f"{printable(name)} ({entry.name})")
    return found
