"""Fetching and pulling: jobs that lose nothing. A pull is a fast-forward, or says what differs."""

from __future__ import annotations

import asyncio
import os
import shlex
from typing import Final

from homeportd.errors import HomeportError, Problem
from homeportd.jobs.model import Job
from homeportd.jobs.service import JobHandle, Jobs
from homeportd.repos import address as addresses
from homeportd.repos import files
from homeportd.repos.credentials import Credentials
from homeportd.repos.git import own_config, progress
from homeportd.repos.git.command import Git, GitError
from homeportd.repos.git.errors import Remote, explain
from homeportd.repos.model import Repo, without_credentials
from homeportd.repos.service import Repos
from homeportd.repos.ssh_key import SshKeys
from homeportd.repos.state import BranchState, read_state

SHOWN_COMMITS: Final = 20  # of each side, in the log of a pull that is no fast-forward
SHOWN_FILES: Final = 3


class Updates:
    """Starts fetches and pulls; one at a time in a repo."""

    def __init__(self, jobs: Jobs, repos: Repos, git: Git, credentials: Credentials, keys: SshKeys) -> None:
        self._jobs = jobs
        self._repos = repos
        self._git = git
        self._credentials = credentials
        self._keys = keys

    async def state(self, repo: Repo) -> BranchState:
        """The state of a repo's branch; of somebody else's repo nothing."""
        if repo.uid != os.getuid():
            return BranchState(refused=f"it belongs to {repo.owner or 'another user'}")
        return await read_state(self._git, repo)

    async def fetch(self, repo: str) -> Job:
        """Begin to fetch all branches of the upstream remote, or of `origin`. Raises Problem 404, 409."""
        found = own(self._repos.get(repo))

        async def work(job: JobHandle) -> None:
            await own_config.check(self._git, found.clone or found.path, found.path)
            await self._fetch(job, found, await self._remote_name(found))
            await self._repos.look()

        return await self._jobs.start("fetch", f"fetch of {repo}", repo, work, exclusive=True)

    async def pull(self, repo: str) -> Job:
        """Begin to pull the branch that is checked out. Raises Problem 404, 409."""
        found = own(self._repos.get(repo))

        async def work(job: JobHandle) -> None:
            await self._pull(job, found)
            await self._repos.look()

        return await self._jobs.start("pull", f"pull of {repo}", repo, work, exclusive=True)

    async def _pull(self, job: JobHandle, repo: Repo) -> None:
        folder = repo.path
        await own_config.check(self._git, repo.clone or folder, folder)
        branch = await self._branch(repo)
        fix = f"git -C {shlex.quote(str(folder))} branch --set-upstream-to=origin/{shlex.quote(branch)}"
        try:
            upstream = (
                await self._git.run("rev-parse", "--abbrev-ref", "@{upstream}", folder=folder)
            ).strip()
            remote = await self._remote_name(repo)
        except GitError:
            raise HomeportError(
                f"the branch {branch} has no branch at a remote that it follows", fix
            ) from None
        await self._fetch(job, repo, remote)
        counts = await self._git.run(
            "rev-list", "--left-right", "--count", "HEAD...@{upstream}", folder=folder
        )
        ahead, behind = map(int, counts.split())
        if not behind:
            job.note(
                f"{branch} is up to date with {upstream}"
                + (f", and {_commits(ahead)} ahead" if ahead else "")
            )
            return
        if ahead:
            await self._log_difference(job, repo)
            raise HomeportError(
                f"{branch} and {upstream} differ: {_commits(ahead)} here, {_commits(behind)} there; nothing changed",
                f"in {folder}: git rebase {shlex.quote(upstream)}, or git merge {shlex.quote(upstream)}",
            )
        job.step("updating files")
        try:
            await self._git.run(
                "merge",
                "--ff-only",
                "--no-stat",
                "--no-autostash",
                "@{upstream}",
                folder=folder,
                on_line=job.line,
            )
        except GitError as error:
            raise _not_merged(error, repo) from error
        job.note(f"{branch} has {_commits(behind)} more, from {upstream}")

    async def _fetch(self, job: JobHandle, repo: Repo, remote: str) -> None:
        job.step(f"fetching from {remote}")
        values = await asyncio.to_thread(files.config, repo.clone or repo.path / ".git")
        url = values.get(("remote", remote, "url"), "")
        side = Remote(remote, "")
        local = False
        if url:
            try:
                address = addresses.parse(addresses.without_user(url))
            except Problem:
                side = Remote(without_credentials(url), "")
            else:
                side, local = self._credentials.remote(address), address.local
                if address.scheme == "ssh":
                    await self._keys.ensure()
        last: progress.Step | None = None

        def said(line: str) -> None:
            nonlocal last
            step = progress.parse(line)
            if step is None:
                job.line(line)
            elif step != last:
                if last is None or last.name != step.name:
                    job.step(step.name)
                job.progress(step.percent, 100, "%")
                last = step

        try:
            await self._git.run(
                "fetch", "--progress", "--", remote, folder=repo.path, local=local, on_line=said
            )
        except GitError as error:
            raise explain(error.errors, side) from error

    async def _branch(self, repo: Repo) -> str:
        try:
            return (await self._git.run("symbolic-ref", "--short", "HEAD", folder=repo.path)).strip()
        except GitError:
            raise HomeportError(
                f"{repo.id} is at a commit, not on a branch",
                f"check a branch out: git -C {shlex.quote(str(repo.path))} switch NAME",
            ) from None

    async def _remote_name(self, repo: Repo) -> str:
        """The remote of the branch that is checked out, else `origin`, else the only one. Raises HomeportError."""
        values = await asyncio.to_thread(files.config, repo.clone or repo.path / ".git")
        names = [sub for section, sub, key in values if (section, key) == ("remote", "url")]
        followed = values.get(("branch", repo.branch or "", "remote"))
        for name in (followed, "origin", *names[:1]):
            if name is not None and name in names and not name.startswith("-"):
                return name
        raise HomeportError(
            f"{repo.id} has no remote",
            f"add one: git -C {shlex.quote(str(repo.path))} remote add origin ADDRESS",
        )

    async def _log_difference(self, job: JobHandle, repo: Repo) -> None:
        for title, side in (("only here:", "@{upstream}..HEAD"), ("only there:", "HEAD..@{upstream}")):
            listed = await self._git.run(
                "log", "--no-show-signature", f"-{SHOWN_COMMITS}", "--format=%h %s", side, folder=repo.path
            )
            job.line(title)
            job.line(listed)


def own(repo: Repo) -> Repo:
    """The repo, if it is the agent's user's; raises Problem 409 for somebody else's."""
    if repo.uid != os.getuid():
        raise Problem(
            409,
            f"{repo.id} belongs to {repo.owner or 'another user'}, and Homeport changes nothing in it",
            "homeport list names the command that hands it over" if repo.handover else "ask its owner",
        )
    return repo


def _commits(count: int) -> str:
    return "1 commit" if count == 1 else f"{count} commits"


def _not_merged(error: GitError, repo: Repo) -> HomeportError:
    text = "\n".join(error.errors)
    names = [line.strip() for line in error.errors if line.startswith("\t")]
    if names and "overwritten" in text:
        some = ", ".join(names[:SHOWN_FILES]) + (
            f" and {len(names) - SHOWN_FILES} more" if len(names) > SHOWN_FILES else ""
        )
        return HomeportError(
            f"{some} would be overwritten; nothing was changed",
            f"commit or stash first: git -C {shlex.quote(str(repo.path))} stash --include-untracked",
        )
    return explain(error.errors, Remote(str(repo.path), ""))
