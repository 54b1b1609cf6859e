"""The objects of the agent's API, as the command line reads them. Times are ISO 8601 UTC with a Z."""

from __future__ import annotations

from typing import Literal, TypedDict

Mode = Literal["private", "password", "public"]


class Share(TypedDict):
    """Who may open a port; generation 0 means that there is no share, so it is private."""

    port: int
    url: str
    mode: Mode
    expires_at: str | None
    expired: bool  # private again, whatever the mode
    allow: list[str]  # CIDR; empty: every network
    max_uses: int | None
    uses: int
    generation: int
    updated_at: str | None


class Container(TypedDict):
    """A container as its engine calls it."""

    name: str
    service: str | None
    project: str | None


class Caution(TypedDict):
    """What to know before a port is shared, and the command to use instead where there is one."""

    kind: Literal["not-http", "debugger"]
    text: str
    command: str | None


class Port(TypedDict):
    """A listening or shared TCP port. `repo` is a repo id, `subdir` the folder in it.

    `foreign`: somebody else than the agent's user runs it.
    """

    port: int
    listening: bool
    addresses: list[str]
    pid: int | None
    started_at: str | None
    user: str | None
    foreign: bool
    command: str | None
    title: str | None
    container: Container | None
    cwd: str | None
    repo: str | None
    subdir: str | None
    url: str
    first_seen: str | None
    share: Share
    caution: Caution | None
    outside: Literal["own", "ranges"] | None  # not looked at: Homeport's own, or in none of the ranges


class Repo(TypedDict):
    """A git repository and the ports of the processes that run in it.

    `foreign`: somebody else than the agent's user has it; `handover` is the shell command that changes that.
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


class Access(TypedDict):
    """One decision about one visitor."""

    id: int
    time: str
    address: str
    user_agent: str | None
    method: str
    path: str
    decision: str


class Token(TypedDict):
    """A token, by its first characters: for the whole API, or for tunnels alone."""

    id: str
    name: str
    created_at: str
    last_used_at: str | None
    prefix: str
    scope: Literal["owner", "tunnel"]
    expires_at: str | None  # of one that was replaced, and still holds for a while


class Amount(TypedDict):
    """Bytes."""

    used: int
    total: int


class System(TypedDict):
    """The machine's load."""

    cpu_percent: float
    cpu_count: int
    memory: Amount
    disk: Amount


class Counts(TypedDict):
    """How many of each."""

    ports: int
    shared: int
    repos: int


class UserChoice(TypedDict):
    """Why the agent serves its user, and the command that changes it."""

    reason: str
    sentence: str
    change: str | None


class Status(TypedDict):
    """The agent at a glance."""

    version: str
    hostname: str
    user: str
    user_choice: UserChoice | None
    started_at: str
    uptime_s: float
    dashboard_url: str
    origin: str | None  # None on an edge that is no workstation
    system: System
    counts: Counts


class LoginLink(TypedDict):
    """A link that logs a browser in, once."""

    url: str
    expires_at: str
