"""A repo as the API shows it."""

from collections import defaultdict
from collections.abc import Iterable

from pydantic import BaseModel

from homeportd.repos.model import Repo


class RepoView(BaseModel):
    """A git repository and the ports that listen from within it. Unknown is null."""

    id: str
    name: str
    path: str
    branch: str | None
    dirty: bool | None
    remote: str | None
    ports: list[int]


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
            ports=sorted(running[repo.id]),
        )
        for repo in repos
    ]
    return sorted(views, key=lambda view: (not view.ports, view.name, view.id))
