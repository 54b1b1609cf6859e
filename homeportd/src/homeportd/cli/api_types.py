"""The objects of the agent's API: the fields that the command line reads. Times are ISO 8601 UTC with a Z.

A test compares `ANSWERS` with the agent's own description of its API (OpenAPI), so that no field is here which the
agent does not send.
"""

from __future__ import annotations

from typing import Final, Literal, TypedDict

from homeportd.cli.git_types import Credential, HostedPage, SshKey
from homeportd.cli.job_types import Job, JobLine
from homeportd.cli.server_types import OutputLine, RepoServers, Server, Started

Mode = Literal["private", "password", "public"]
Kind = Literal["http", "tcp", "udp"]


class Binding(TypedDict):
    """What a share was made for: the servers in a working tree, or else those of a user."""

    user: str | None
    repo: str | None


class Share(TypedDict):
    """A share: who may open a port. Generation 0: there is none, so that the port is private."""

    port: int
    url: str
    mode: Mode
    expires_at: str | None
    expired: bool  # private again, whatever the mode
    allow: list[str]  # CIDR; empty: every network
    max_uses: int | None
    uses: int
    host_header: str  # localhost, keep, or a name
    subdomains: bool  # names below its own lead there too
    generation: int
    updated_at: str | None
    bound_to: Binding | None
    paused: str | None  # why it lets in nobody but the owner


class Container(TypedDict):
    """A container as its engine calls it."""

    name: str
    service: str | None
    project: str | None


class Caution(TypedDict):
    """A caution before a port is shared, and the command to use instead where there is one."""

    kind: Literal["not-http", "debugger"]
    text: str
    command: str | None


class Program(TypedDict):
    """One of the programs on a port; `dialled`: the one that the port's address leads to."""

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
    dialled: bool


class Port(TypedDict):
    """A listening or shared TCP port. `repo` is a repo id, `subdir` the folder in it.

    `foreign`: another user than the agent's runs it. The fields from `pid` to `subdir` are those of the program that is
    dialled.
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
    programs: list[Program]
    share: Share
    caution: Caution | None
    outside: Literal["own", "ranges"] | None  # not looked at: Homeport's own, or in none of the ranges


class Repo(TypedDict):
    """A git repository and the ports of the processes that run in it.

    `foreign`: another user than the agent's has it; `handover` is the shell command that changes that.
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


class Editor(TypedDict):
    """The editor: its state, and the address that opens a repo or the folder of repos."""

    state: Literal["off", "stopped", "starting", "running", "failed"]
    url: str | None
    memory: int | None  # bytes
    failure: str | None


class Access(TypedDict):
    """An entry of the access log: one decision about one visitor."""

    id: int
    time: str
    address: str
    user_agent: str
    method: str
    path: str
    decision: str


class Token(TypedDict):
    """A token without its secret, of which `prefix` has the first characters."""

    id: str
    name: str
    created_at: str
    last_used_at: str | None
    prefix: str
    scope: Literal["owner", "tunnel"]
    expires_at: str | None  # of one that was replaced, and still holds for a while


class Amount(TypedDict):
    """Bytes of memory or disk."""

    used: int
    total: int


class System(TypedDict):
    """The machine and its load."""

    cpu_percent: float
    cpu_count: int
    memory: Amount
    disk: Amount


class Counts(TypedDict):
    """Numbers of ports, shared ports and repos."""

    ports: int
    shared: int
    repos: int


class UserChoice(TypedDict):
    """The reason why the agent serves its user, and the command that changes it."""

    reason: str
    sentence: str
    change: str | None


class Status(TypedDict):
    """The agent, its machine, and numbers of what it sees."""

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


class NewToken(Token):
    """A token with its secret, shown this once."""

    token: str


class Limits(TypedDict):
    """Limits of a reservation; None is no limit but the edge's own."""

    bytes_per_second: int | None  # each direction
    connections: int | None  # at a time


class Reservation(TypedDict):
    """A name or port that an edge keeps. `token`: the name of the token that it belongs to, if any."""

    id: str
    kind: Kind
    name: str | None
    port: int | None
    address: str
    token: str | None
    allow: list[str]
    limits: Limits
    passcode: bool
    subdomains: bool
    live: bool


class EdgeTunnel(TypedDict):
    """A tunnel, as an edge has it. `client`: the name of the machine that holds it."""

    id: str
    kind: Kind
    name: str | None
    port: int | None
    address: str
    client: str | None
    state: Literal["live", "offline"]
    last_byte_at: str | None
    connections: int
    bytes_in: int
    bytes_out: int
    allow: list[str]


class DnsRecord(TypedDict):
    """A DNS record that would let a domain lead to the edge."""

    name: str
    type: Literal["CNAME", "A", "AAAA"]
    value: str


class DomainError(TypedDict):
    """Why a domain does not work, and what to do."""

    detail: str
    fix: str


class Certificate(TypedDict):
    """The certificate of a domain."""

    issuer: str
    not_after: str


class Domain(TypedDict):
    """A domain that leads to the reservation called `name`. `records`: the first is the one to make."""

    domain: str
    name: str
    state: Literal["pending", "verified", "issued", "error"]
    records: list[DnsRecord]
    error: DomainError | None
    note: str | None
    certificate: Certificate | None
    url: str


# The answer to each request of the command line; None: without a body, or not read.
ANSWERS: Final[dict[tuple[str, str], object]] = {
    ("get", "/api/ports"): list[Port],
    ("get", "/api/ports/{port}"): Port,
    ("get", "/api/ports/{port}/logs"): list[Access],
    ("get", "/api/ports/{port}/share"): Share,
    ("post", "/api/ports/{port}/share"): Share,
    ("delete", "/api/ports/{port}/share"): None,
    ("post", "/api/ports/{port}/share/resume"): Share,
    ("get", "/api/repos"): list[Repo],
    ("post", "/api/repos"): Job,
    ("delete", "/api/repos/{repo}"): Job,
    ("post", "/api/repos/{repo}/pull"): Job,
    ("post", "/api/repos/{repo}/fetch"): Job,
    ("post", "/api/editor/start"): Editor,
    ("post", "/api/git/credential"): Credential,
    ("post", "/api/git/ssh-key"): SshKey,
    ("get", "/api/github/repos"): HostedPage,
    ("get", "/api/settings"): None,
    ("put", "/api/settings"): None,
    ("get", "/api/servers"): list[Server],
    ("get", "/api/servers/{server}"): Server,
    ("put", "/api/servers/{server}"): Server,
    ("get", "/api/servers/{server}/output"): list[OutputLine],
    ("get", "/api/repos/{repo}/servers"): RepoServers,
    ("post", "/api/repos/{repo}/start"): Started,
    ("post", "/api/repos/{repo}/stop"): list[Server],
    ("post", "/api/repos/{repo}/restart"): list[Server],
    ("get", "/api/jobs"): list[Job],
    ("get", "/api/jobs/{job}"): Job,
    ("get", "/api/jobs/{job}/log"): list[JobLine],
    ("post", "/api/jobs/{job}/cancel"): Job,
    ("get", "/api/status"): Status,
    ("get", "/api/health"): None,
    ("post", "/api/login-links"): LoginLink,
    ("put", "/api/password"): None,
    ("get", "/api/tokens"): list[Token],
    ("post", "/api/tokens"): NewToken,
    ("delete", "/api/tokens/{id}"): None,
    ("post", "/api/tokens/{id}/rotate"): NewToken,
    ("get", "/api/tunnels"): list[EdgeTunnel],
    ("delete", "/api/tunnels/{id}"): None,
    ("get", "/api/reservations"): list[Reservation],
    ("post", "/api/reservations"): Reservation,
    ("put", "/api/reservations/{id}"): Reservation,
    ("delete", "/api/reservations/{id}"): None,
    ("get", "/api/domains"): list[Domain],
    ("post", "/api/domains"): Domain,
    ("get", "/api/domains/{domain}"): Domain,
    ("post", "/api/domains/{domain}/check"): Domain,
    ("delete", "/api/domains/{domain}"): None,
}
