"""The routes of repos."""

from collections.abc import Callable, Iterable
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from homeportd.auth.guard import Guard
from homeportd.auth.model import Caller
from homeportd.http import problems
from homeportd.jobs.view import JobView, job_view
from homeportd.repos.address import MAX_ADDRESS
from homeportd.repos.clone import CloneRequest, Clones
from homeportd.repos.service import Repos
from homeportd.repos.view import RepoView, repo_views


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
    repos: Repos, clones: Clones, ports: Callable[[], Iterable[tuple[int, str | None]]], guard: Guard
) -> APIRouter:
    """The routes of this room; `ports` gives (number, repo id) of what listens now."""
    routes = APIRouter(prefix="/api/repos", tags=["repos"])

    @routes.get("", responses=problems(401))
    async def list_repos(_caller: Annotated[Caller, Depends(guard)]) -> list[RepoView]:
        await repos.refresh_dirty()
        return repo_views(repos.all(), ports())

    @routes.post("", status_code=202, responses=problems(401, 403, 409, 413, 422, 503))
    async def clone_repo(_caller: Annotated[Caller, Depends(guard)], body: CloneBody) -> JobView:
        """Begin to clone; the job's `subject` is the repo's id when it is done."""
        request = CloneRequest(body.address, body.branch, body.into, body.submodules)
        return job_view(await clones.start(request))

    return routes
