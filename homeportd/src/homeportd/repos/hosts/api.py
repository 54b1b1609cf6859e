"""The routes of the repositories at GitHub and GitLab."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from homeportd import clock
from homeportd.auth.guard import Guard
from homeportd.http import problems
from homeportd.repos.hosts.model import HostedPage
from homeportd.repos.hosts.service import HostedRepos

Words = Annotated[str, Query(max_length=200, description="words that the name or description has")]
PageNumber = Annotated[int, Query(ge=1, le=1000)]


class HostedRepoView(BaseModel):
    """A repository that the owner may read at a host; `name` with its owner, `url` for cloning."""

    name: str
    description: str
    private: bool
    fork: bool
    archived: bool
    pushed_at: str | None
    default_branch: str | None
    url: str
    ssh_url: str


class RateView(BaseModel):
    """The host's limit of requests; null: it did not say."""

    remaining: int | None
    limit: int | None
    reset_at: str | None


class HostedPageView(BaseModel):
    """A page of repositories; `more`: there is a next one. `complete` false: not all of the owner's were searched."""

    repos: list[HostedRepoView]
    page: int
    more: bool
    complete: bool
    rate: RateView


def router(hosted: HostedRepos, guard: Guard) -> APIRouter:
    """The routes of this room."""
    routes = APIRouter(prefix="/api", tags=["repos"], dependencies=[Depends(guard)])

    @routes.get("/github/repos", responses=problems(401, 409, 422, 429, 502))
    async def list_github_repos(q: Words = "", page: PageNumber = 1, refresh: bool = False) -> HostedPageView:
        """Repositories at GitHub, private ones too, the last changed first; the list is kept for a minute."""
        return _view(await hosted.github(q, page, refresh=refresh))

    @routes.get("/gitlab/repos", responses=problems(401, 409, 422, 429, 502))
    async def list_gitlab_repos(q: Words = "", page: PageNumber = 1) -> HostedPageView:
        """Repositories at GitLab, private ones too, the last changed first."""
        return _view(await hosted.gitlab(q, page))

    return routes


def _view(found: HostedPage) -> HostedPageView:
    rate = found.rate
    return HostedPageView(
        repos=[HostedRepoView(**asdict(repo)) for repo in found.repos],
        page=found.page,
        more=found.more,
        complete=found.complete,
        rate=RateView(
            remaining=rate.remaining,
            limit=rate.limit,
            reset_at=clock.to_text(rate.reset_at),
        ),
    )
