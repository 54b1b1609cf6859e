"""A server as the API shows it."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, Field, StrictBool, StringConstraints

from homeportd import clock
from homeportd.http import NoBool
from homeportd.jobs.view import JobView
from homeportd.origin import Origin
from homeportd.servers.model import Server, State

Command = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f\x7f]+$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
PortNumber = Annotated[int, Field(ge=1024, le=65535), NoBool]
IdleSeconds = Annotated[int, Field(ge=0, le=30 * 24 * 3600), NoBool]


class ServerView(BaseModel):
    """A dev server of a repo. Unknown is null.

    `repo` is the repo's id, null where it is gone. `command` is what a start runs, before its port is added;
    `detected_command` is what the repo's files describe, found in `source`. `port` is the one that `url` leads to;
    `number` the one that the server keeps, and `ports` all that it listens on. `missing`: dependencies that are not
    installed. `exit_code`, `signal`, `detail` and `last_lines` tell its last end. `by_hand`: somebody started it in a
    terminal; it is listed and left alone. `idle_stop_s` null: as set for all servers.
    """

    id: str
    repo: str | None
    repo_path: str
    name: str
    directory: str
    command: str | None
    detected_command: str | None
    source: str
    missing: str | None
    state: State
    port: int | None
    number: int | None
    ports: list[int]
    url: str | None
    exit_code: int | None
    signal: int | None
    detail: str | None
    last_lines: list[str]
    auto_start: bool
    restart: bool
    idle_stop_s: int | None
    was_running: bool
    started_at: str | None
    stopped_at: str | None
    created_at: str | None
    updated_at: str | None
    by_hand: bool


class RepoServersView(BaseModel):
    """The servers of a repo, the main one first, and its compose files, which are named and not started."""

    servers: list[ServerView]
    compose_files: list[str]


class StartedView(BaseModel):
    """The answer to a start: the server, and the job that installs its dependencies before, where there is one."""

    server: ServerView
    job: JobView | None


class StartRequest(BaseModel):
    """A start: of the main server, unless `server` names another. `command` is kept for it, as is `port`.

    `install`: install its dependencies first, as a job.
    """

    server: Name | None = None
    command: Command | None = None
    port: PortNumber | None = None
    install: StrictBool = False


class StopRequest(BaseModel):
    """A stop: of all servers of the repo that run, unless `server` names one."""

    server: Name | None = None


class ServerRequest(BaseModel):
    """What a person sets for a server; what is left out stays. `command` null: the detected one again."""

    command: Command | None = None
    auto_start: StrictBool | None = None
    restart: StrictBool | None = None
    idle_stop_s: IdleSeconds | None = None
    port: PortNumber | None = None


class OutputLineView(BaseModel):
    """A line of a server's output. `text` may hold colour sequences (ECMA-48 SGR), and no other control characters.

    `offset` is where it begins in all output, `end` where the next line does: to follow from there, give it as `since`.
    """

    offset: int
    end: int
    time: str
    text: str


EVENTS: Final[dict[str, type[BaseModel]]] = {"server": ServerView}


def server_view(server: Server, repo: str | None, origin: Origin) -> ServerView:
    """A server, in the repo of this id."""
    life, policy = server.life, server.policy
    end = life.end
    return ServerView(
        id=server.id,
        repo=repo,
        repo_path=str(server.repo),
        name=server.name,
        directory=server.directory,
        command=server.command,
        detected_command=server.detected,
        source=server.source,
        missing=server.missing,
        state=life.state,
        port=server.port,
        number=policy.port,
        ports=list(life.ports),
        url=None if server.port is None else origin.of_port(server.port),
        exit_code=end.code if end else None,
        signal=end.signal if end else None,
        detail=end.detail if end else None,
        last_lines=list(server.last_lines),
        auto_start=policy.auto_start,
        restart=policy.restart,
        idle_stop_s=policy.idle_stop_s,
        was_running=life.wanted,
        started_at=clock.to_text(server.started_at),
        stopped_at=clock.to_text(server.stopped_at),
        created_at=clock.to_text(server.created_at),
        updated_at=clock.to_text(server.updated_at),
        by_hand=server.by_hand,
    )
