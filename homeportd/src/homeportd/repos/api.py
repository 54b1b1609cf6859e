"""The routes of repos."""

from collections.abc import Callable, Iterable
from typing import Annotated

from fastapi import APIRouter, Depends

from homeportd.auth.guard import Guard
from homeportd.auth.model import Caller
from homeportd.http import problems
from homeportd.repos.service import Repos
from homeportd.repos.view import RepoView, repo_views


def router(repos: Repos, ports: Callable[[], Iterable[tuple[int, str | None]]], guard: Guard) -> APIRouter:
    """The routes of this room; `ports` gives (number, repo id) of what listens now."""
    routes = APIRouter(prefix="/api/repos", tags=["repos"])

    @routes.get("", responses=problems(401))
    async def list_repos(_caller: Annotated[Caller, Depends(guard)]) -> list[RepoView]:
        await repos.refresh_dirty()
        return repo_views(repos.all(), ports())

    return routes
