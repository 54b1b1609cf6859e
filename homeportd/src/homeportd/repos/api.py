"""The routes of repos."""

from collections.abc import Callable, Iterable
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from homeportd.auth.guard import Guard
from homeportd.auth.model import Caller
from homeportd.http import problems
from homeportd.jobs.view import JobView, job_view
from homeportd.repos.address import MAX_ADDRESS
from homeportd.repos.clone import CloneRequest, Clones
from homeportd.repos.history import RepoHistory
from homeportd.repos.removal import Removals
from homeportd.repos.service import Repos
from homeportd.repos.updates import Updates
from homeportd.repos.view import RepoPageView, RepoView, repo_page_view, repo_views

RepoId = Annotated[str, Path(min_length=1, max_length=300)]


class CloneBody(BaseModel):
    """A repository to clone: https://, http://, ssh:// or git:// address, git@host:path, OWNER/NAME, or a folder."""

    model_config = ConfigDict(extra="forbid")

    address: Annotated[str, Field(min_length=1, max_length=MAX_ADDRESS)]
    branch: Annotated[str, Field(min_length=1, max_length=250)] | None = None
    into: Annotated[str, Field(min_length=1, max_length=1000)] | None = Field(
        None, description="folder below the repo root; null: the last part of the address"
    )
    submodules: bool = False


def router(
    repos: Repos,
    clones: Clones,
    updates: Updates,
    removals: Removals,
    history: RepoHistory,
    ports: Callable[[], Iterable[tuple[int, str | None]]],
    guard: Guard,
) -> APIRouter:
    """The routes of this room; `ports` gives (number, repo id) of what listens now."""
    routes = APIRouter(prefix="/api/repos", tags=["repos"])

    @routes.get("", responses=problems(401))
    async def list_repos(_caller: Annotated[Caller, Depends(guard)]) -> list[RepoView]:
        await repos.refresh_dirty()
        return repo_views(repos.all(), ports())

    @routes.post("", status_code=202, responses=problems(400, 401, 403, 409, 413, 422, 429, 503))
    async def clone_repo(_caller: Annotated[Caller, Depends(guard)], body: CloneBody) -> JobView:
        """Begin to clone; the job's `subject` is the repo's id when it is done."""
        request = CloneRequest(body.address, body.branch, body.into, body.submodules)
        return job_view(await clones.start(request))

    @routes.get("/{repo}", responses=problems(401, 404, 422))
    async def read_repo(_caller: Annotated[Caller, Depends(guard)], repo: RepoId) -> RepoPageView:
        await repos.refresh_dirty()
        found = repos.get(repo)
        return repo_page_view(found, await updates.state(found), history.of(found), ports())

    @routes.delete("/{repo}", status_code=202, responses=problems(401, 403, 404, 409, 422, 429, 503))
    async def remove_repo(
        _caller: Annotated[Caller, Depends(guard)], repo: RepoId, force: bool = False
    ) -> JobView:
        """Begin to remove a repo; 409 while work would be lost or something runs there, unless `force`."""
        return job_view(await removals.start(repo, force=force))

    @routes.post("/{repo}/pull", status_code=202, responses=problems(401, 403, 404, 409, 422, 429, 503))
    async def pull_repo(_caller: Annotated[Caller, Depends(guard)], repo: RepoId) -> JobView:
        """Begin to pull: a fast-forward, or the job fails with what differs."""
        return job_view(await updates.pull(repo))

    @routes.post("/{repo}/fetch", status_code=202, responses=problems(401, 403, 404, 409, 422, 429, 503))
    async def fetch_repo(_caller: Annotated[Caller, Depends(guard)], repo: RepoId) -> JobView:
        """Begin to fetch; no branch of the repo changes."""
        return job_view(await updates.fetch(repo))

    return routes
