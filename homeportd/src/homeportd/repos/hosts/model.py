"""A repository at a host, and pages of them. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from homeportd.printable import printable

MAX_TEXT: Final = 500  # characters of a description or name
PER_PAGE: Final = 50  # repositories of one answer of ours


@dataclass(frozen=True)
class HostedRepo:
    """A repository at a host. `name` has the owner: `ada/shop`. `url` and `ssh_url` are for cloning."""

    name: str
    description: str
    private: bool
    fork: bool
    archived: bool
    pushed_at: str | None
    default_branch: str | None
    url: str
    ssh_url: str


@dataclass(frozen=True)
class Rate:
    """The host's limit of requests: how many of `limit` are left until `reset_at`. None: it did not say."""

    remaining: int | None = None
    limit: int | None = None
    reset_at: datetime | None = None


@dataclass(frozen=True)
class HostedPage:
    """A page of repositories, the last changed first. `complete` False: the owner has more than were looked through."""

    repos: tuple[HostedRepo, ...]
    page: int
    more: bool
    rate: Rate
    complete: bool = True


def text(values: Mapping[str, Any], name: str) -> str:
    """A text of an answer, "" where there is none, without control characters."""
    value = values.get(name)
    return printable(value)[:MAX_TEXT] if isinstance(value, str) else ""


def of_github(values: Mapping[str, Any]) -> HostedRepo:
    """A repository as GitHub's API has it: /user/repos."""
    return HostedRepo(
        name=text(values, "full_name"),
        description=text(values, "description"),
        private=values.get("private") is True,
        fork=values.get("fork") is True,
        archived=values.get("archived") is True,
        pushed_at=text(values, "pushed_at") or None,
        default_branch=text(values, "default_branch") or None,
        url=text(values, "clone_url"),
        ssh_url=text(values, "ssh_url"),
    )


def of_gitlab(values: Mapping[str, Any]) -> HostedRepo:
    """A repository as GitLab's API has it: /projects."""
    return HostedRepo(
        name=text(values, "path_with_namespace"),
        description=text(values, "description"),
        private=values.get("visibility") != "public",
        fork=isinstance(values.get("forked_from_project"), dict),
        archived=values.get("archived") is True,
        pushed_at=text(values, "last_activity_at") or None,
        default_branch=text(values, "default_branch") or None,
        url=text(values, "http_url_to_repo"),
        ssh_url=text(values, "ssh_url_to_repo"),
    )


def search(repos: tuple[HostedRepo, ...], words: str, page: int) -> tuple[tuple[HostedRepo, ...], bool]:
    """A page of the repositories whose name or description has all words, names first; and whether there are more."""
    wanted = words.casefold().split()
    found = [
        repo
        for repo in repos
        if all(word in repo.name.casefold() or word in repo.description.casefold() for word in wanted)
    ]
    found.sort(key=lambda repo: not all(word in repo.name.casefold() for word in wanted))
    first = (page - 1) * PER_PAGE
    return tuple(found[first : first + PER_PAGE]), len(found) > first + PER_PAGE
