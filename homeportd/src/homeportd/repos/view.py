"""A repo as the API shows it."""

import shlex
import shutil
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict
from typing import Final

from pydantic import BaseModel

from homeportd import clock
from homeportd.accounts import own_name
from homeportd.repos.history import Record
from homeportd.repos.model import Repo
from homeportd.repos.state import BranchState


class RepoView(BaseModel):
    """A git repository and the ports that listen from within it. Unknown is null.

    `foreign`: it belongs to somebody else than the agent's user, who therefore only lists and shares it; `handover` is
    the shell command that changes that, with `sudo` where there is one.
    """

    id: str
    name: str
    path: str
    branch: str | None
    dirty: bool | None
    remote: str | None
    owner: str | None
    foreign: bool
    handover: str | None
    ports: list[int]


class CommitView(BaseModel):
    """A commit."""

    id: str
    subject: str
    author: str
    time: str


class BranchStateView(BaseModel):
    """State of the branch that is checked out; `ahead` and `behind` its upstream, null without one.

    `refused`: the reason why git was not asked.
    """

    commit: CommitView | None
    upstream: str | None
    ahead: int | None
    behind: int | None
    stashes: int
    submodules: bool
    shallow: bool
    refused: str | None


class RepoPageView(RepoView):
    """A repo with the state of its branch, when it was first seen, and when its branch or remote last changed."""

    state: BranchStateView
    created_at: str | None
    updated_at: str | None


class ReposChangedView(BaseModel):
    """Data of the event that repos were found, gone or changed: all of them."""

    repos: list[RepoView]


EVENTS: Final[dict[str, type[BaseModel]]] = {"repos.changed": ReposChangedView}


def repo_views(repos: Iterable[Repo], ports: Iterable[tuple[int, str | None]]) -> list[RepoView]:
    """Every repo with its ports, given as (number, repo id); the running ones first."""
    running: dict[str | None, list[int]] = defaultdict(list)
    for number, repo in ports:
        running[repo].append(number)
    views = [
        RepoView(
            id=repo.id,
            name=repo.name,
            path=str(repo.path),
            branch=repo.branch,
            dirty=repo.dirty,
            remote=repo.remote,
            owner=repo.owner,
            foreign=repo.owner is not None and repo.owner != own_name(),
            handover=_command(repo),
            ports=sorted(set(running[repo.id])),
        )
        for repo in repos
    ]
    return sorted(views, key=lambda view: (not view.ports, view.name, view.id))


def repo_page_view(
    repo: Repo, state: BranchState, record: Record | None, ports: Iterable[tuple[int, str | None]]
) -> RepoPageView:
    """One repo."""
    (view,) = repo_views([repo], [each for each in ports if each[1] == repo.id])
    return RepoPageView(
        **view.model_dump(),
        state=BranchStateView(**asdict(state)),
        created_at=clock.to_text(record.created_at) if record else None,
        updated_at=clock.to_text(record.updated_at) if record else None,
    )


def _command(repo: Repo) -> str | None:
    sudo = ["sudo"] if repo.handover and shutil.which("sudo") else []
    return " && ".join(shlex.join([*sudo, *words]) for words in repo.handover) or None
