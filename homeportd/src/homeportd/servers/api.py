"""The routes of servers."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse

from homeportd.auth.guard import Guard
from homeportd.auth.model import Caller
from homeportd.errors import not_found
from homeportd.http import problems
from homeportd.jobs.view import job_view
from homeportd.origin import Origin
from homeportd.processes.service import Processes
from homeportd.repos.model import Repo
from homeportd.repos.service import Repos
from homeportd.servers import output
from homeportd.servers.install import Installs
from homeportd.servers.model import Policy, Server
from homeportd.servers.service import Servers
from homeportd.servers.view import (
    OutputLineView,
    RepoServersView,
    ServerRequest,
    ServerView,
    StartedView,
    StartRequest,
    StopRequest,
    server_view,
)


def router(
    servers: Servers, installs: Installs, processes: Processes, repos: Repos, guard: Guard, origin: Origin
) -> APIRouter:
    """The routes of this room."""
    routes = APIRouter(prefix="/api", tags=["servers"])

    def repo_of(repo: str) -> Repo:
        found = next((each for each in repos.all() if each.id == repo), None)
        if found is None:
            raise not_found(f"the repo {repo}", "homeport list shows what there is")
        return found

    def view(server: Server) -> ServerView:
        repo = servers.repo_of(server)
        return server_view(server, repo.id if repo is not None else None, origin)

    async def named(repo: str, name: str | None) -> list[Server]:
        """The server of this name; without one all that run, else the main one."""
        found = repo_of(repo)
        if name is not None:
            return [await servers.find(found, name)]
        running = servers.running_in(found.path)
        return running or [await servers.find(found, None)]

    @routes.get("/servers", responses=problems(401))
    async def list_servers(_caller: Annotated[Caller, Depends(guard)]) -> list[ServerView]:
        ids = {repo.path: repo.id for repo in repos.all()}
        return [server_view(each, ids.get(each.repo), origin) for each in servers.all()]

    @routes.get("/servers/{server}", responses=problems(401, 404, 422))
    async def show_server(server: str, _caller: Annotated[Caller, Depends(guard)]) -> ServerView:
        return view(servers.get(server))

    @routes.put("/servers/{server}", responses=problems(400, 401, 403, 404, 409, 413, 422, 503))
    async def set_server(
        server: str, _caller: Annotated[Caller, Depends(guard)], body: ServerRequest
    ) -> ServerView:
        given: dict[str, Any] = {name: getattr(body, name) for name in body.model_fields_set}
        for name in ("auto_start", "restart", "port"):
            if given.get(name, 0) is None:  # null is as good as nothing
                del given[name]

        def change(policy: Policy) -> Policy:
            return replace(policy, **given)

        return view(await servers.set(server, change))

    @routes.get(
        "/servers/{server}/output",
        responses={
            200: {
                "model": list[OutputLineView],
                "description": "with `follow`, a line of JSON each, as they come",
            },
            **problems(401, 404, 422, 503),
        },
        response_model=None,
    )
    async def show_output(
        server: str,
        _caller: Annotated[Caller, Depends(guard)],
        lines: Annotated[int, Query(ge=1, le=10_000)] = 200,
        follow: bool = False,
        since: Annotated[int | None, Query(ge=0)] = None,
    ) -> Response | list[OutputLineView]:
        """The last lines of output; with `follow` those from the offset `since` on, else after the last lines."""
        found = servers.get(server)
        if not follow:
            return await output.tail(processes, found.id, lines)
        before = [] if since is not None else await output.tail(processes, found.id, lines)
        begin = since if since is not None else before[-1].end if before else 0

        async def stream() -> AsyncIterator[bytes]:
            for line in before:
                yield line.model_dump_json().encode() + b"\n"
            async for piece in output.follow(processes, found.id, begin):
                yield piece

        return StreamingResponse(
            stream(), media_type="application/x-ndjson", headers={"cache-control": "no-store"}
        )

    @routes.get("/repos/{repo}/servers", responses=problems(401, 404, 422))
    async def list_repo_servers(repo: str, _caller: Annotated[Caller, Depends(guard)]) -> RepoServersView:
        found = repo_of(repo)
        listed = await servers.of(found)
        return RepoServersView(
            servers=[server_view(each, found.id, origin) for each in listed],
            compose_files=list(servers.catalog.compose_files(found.path)),
        )

    @routes.post(
        "/repos/{repo}/start", status_code=202, responses=problems(400, 401, 403, 404, 409, 413, 422, 503)
    )
    async def start_server(
        repo: str, _caller: Annotated[Caller, Depends(guard)], body: StartRequest | None = None
    ) -> StartedView:
        """Start a server. Its state follows as events `server`, an installation before it as events `job`."""
        body = body or StartRequest()
        found = repo_of(repo)
        if body.install:
            job, server = await installs.start(found, body.server, command=body.command, port=body.port)
            return StartedView(server=view(server), job=job_view(job) if job is not None else None)
        started = await servers.begin(found, body.server, command=body.command, port=body.port)
        return StartedView(server=view(started), job=None)

    @routes.post("/repos/{repo}/stop", responses=problems(400, 401, 403, 404, 409, 413, 422, 503))
    async def stop_server(
        repo: str, _caller: Annotated[Caller, Depends(guard)], body: StopRequest | None = None
    ) -> list[ServerView]:
        """Stop servers, and answer when they have stopped."""
        found = await named(repo, body.server if body is not None else None)
        return [view(await servers.stop(each.id)) for each in found]

    @routes.post("/repos/{repo}/restart", responses=problems(400, 401, 403, 404, 409, 413, 422, 503))
    async def restart_server(
        repo: str, _caller: Annotated[Caller, Depends(guard)], body: StopRequest | None = None
    ) -> list[ServerView]:
        """Restart servers: that of the body, else all of the repo that run, else its main one."""
        found = await named(repo, body.server if body is not None else None)
        return [view(await servers.restart(each.id)) for each in found]

    return routes
