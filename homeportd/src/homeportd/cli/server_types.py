"""Shapes of API answers about dev servers, as `api_types`."""

from __future__ import annotations

from typing import Literal, TypedDict

from homeportd.cli.job_types import Job


class Server(TypedDict):
    """A dev server of a repo. `port` is the one that `url` leads to, `number` the one that it keeps.

    `missing`: dependencies that are not installed. `by_hand`: somebody started it in a terminal.
    """

    id: str
    repo: str | None
    repo_path: str
    name: str
    directory: str
    command: str | None
    source: str
    missing: str | None
    state: Literal["stopped", "starting", "listening", "stopping", "failed", "idle-stopped"]
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
    started_at: str | None
    stopped_at: str | None
    by_hand: bool


class RepoServers(TypedDict):
    """The servers of a repo, the main one first, and its compose files."""

    servers: list[Server]
    compose_files: list[str]


class OutputLine(TypedDict):
    """A line of a server's output; `text` may hold colours. `end` is where the next line begins."""

    offset: int
    end: int
    time: str
    text: str


class Started(TypedDict):
    """The answer to a start."""

    server: Server
    job: Job | None
