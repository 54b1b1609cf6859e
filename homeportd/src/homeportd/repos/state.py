"""The state of a repo's branch: its last commit, its upstream, what is ahead, behind and stashed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from homeportd.errors import HomeportError
from homeportd.printable import printable
from homeportd.repos.git import own_config
from homeportd.repos.git.command import Git, GitError
from homeportd.repos.model import Repo

MAX_SUBJECT: Final = 200  # characters


@dataclass(frozen=True)
class Commit:
    """A commit: short id, first line of its message, author, time (ISO 8601)."""

    id: str
    subject: str
    author: str
    time: str


@dataclass(frozen=True)
class BranchState:
    """State of the branch that is checked out. `ahead` and `behind` its upstream; None: it has none.

    `refused`: the reason why git was not asked.
    """

    commit: Commit | None = None
    upstream: str | None = None
    ahead: int | None = None
    behind: int | None = None
    stashes: int = 0
    submodules: bool = False
    shallow: bool = False
    refused: str | None = None


async def read_state(git: Git, repo: Repo) -> BranchState:
    """Ask git; what it cannot tell is None."""
    folder, common = repo.path, repo.clone or repo.path / ".git"
    submodules, shallow = (folder / ".gitmodules").is_file(), (common / "shallow").is_file()
    try:
        await own_config.check(git, common, folder)
    except HomeportError as error:
        return BranchState(submodules=submodules, shallow=shallow, refused=error.detail)
    commit, upstream, ahead, behind, stashes = None, None, None, None, 0
    with suppress(GitError, ValueError):
        said = await git.run(
            "log", "-1", "--no-show-signature", "--format=%h%x00%s%x00%an%x00%cI", folder=folder
        )
        commit = Commit(*(_shown(part) for part in said.rstrip("\n").split("\0")))
    with suppress(GitError, ValueError):
        upstream = (
            _shown(await git.run("rev-parse", "--abbrev-ref", "@{upstream}", folder=folder)).strip() or None
        )
        counts = await git.run("rev-list", "--left-right", "--count", "HEAD...@{upstream}", folder=folder)
        ahead, behind = map(int, counts.split())
    with suppress(GitError):
        stashes = len((await git.run("stash", "list", "--format=%gd", folder=folder)).split())
    return BranchState(commit, upstream, ahead, behind, stashes, submodules, shallow)


def _shown(text: str) -> str:
    return printable(text)[:MAX_SUBJECT]
