"""A port: a listening TCP socket, and the process that holds it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class Container:
    """A container behind a port, by its engine's names; `service` and `project` where a compose file made it."""

    name: str
    service: str | None = None
    project: str | None = None


@dataclass(frozen=True)
class Owner:
    """The process that holds a listening socket. (pid, started_at) names it; a pid alone is recycled.

    `contained`: it is in a container, or forwards to one. Then `cwd` is the folder of its compose project, and None
    where the engine names none.
    """

    pid: int
    started_at: datetime
    user: str
    argv: tuple[str, ...]
    cwd: Path | None  # None: not ours to read
    contained: bool = False
    container: Container | None = None  # None as long as no engine has named it


@dataclass(frozen=True)
class Program:
    """A program that listens on a port number: a process with its workers, or a container.

    `addresses` are the bound IP addresses in text form, `0.0.0.0` and `::` for wildcards; `inodes` names the sockets,
    as far as the system does. `uid` made the sockets, as the kernel says. `owner` is None for a process that may not
    be read; `user` is known even then. `repo` is a repo id, `subdir` the folder of the process relative to the repo
    (empty for its root), `worktree` the repo's path, `clone` the git folder that it shares with its other worktrees,
    `repo_uid` and `repo_user` whose folder it is. `settled`: owner and repo have been looked for.
    """

    port: int
    addresses: tuple[str, ...]
    inodes: frozenset[int] = frozenset()
    uid: int | None = None
    user: str | None = None
    owner: Owner | None = None
    title: str | None = None  # "vite", "next", "python": what a person would call it
    repo: str | None = None
    subdir: str | None = None
    worktree: str | None = None
    clone: str | None = None
    repo_uid: int | None = None
    repo_user: str | None = None
    dual_stack: bool = False  # `::` takes IPv4 connections too
    server: str | None = None  # the id of the server of ours whose process it is
    settled: bool = True
    socket: str | None = None  # the path of a unix socket to dial, instead of an address

    @property
    def started(self) -> datetime:
        """The moment at which its process began; long ago for one that may not be read."""
        return self.owner.started_at if self.owner is not None else datetime.min.replace(tzinfo=UTC)

    @cached_property
    def dialled(self) -> tuple[str, int]:
        """(Host, port) to dial on this machine; a wildcard is reached on loopback.

        IPv4 first: of two sockets of one program, the IPv4 one is what `localhost` meant to most tools.
        """
        for address in sorted(self.addresses, key=lambda text: ":" in text):
            if address in ("0.0.0.0", "::ffff:0.0.0.0"):  # noqa: S104 - compared, not bound
                return "127.0.0.1", self.port
            if address == "::":
                # Reached by IPv4 even where the loopback interface has no IPv6 address.
                return "127.0.0.1" if self.dual_stack else "::1", self.port
            return address, self.port
        raise ValueError(f"port {self.port} has no address")

    @cached_property
    def upstream(self) -> str:
        """The address to dial, as host:port."""
        host, port = self.dialled
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True)
class Port:
    """A port number with a listener. Of several programs on it, the first is the one that its owner is led to."""

    port: int
    first_seen: datetime
    programs: tuple[Program, ...]

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses of all programs."""
        return tuple(sorted({each for one in self.programs for each in one.addresses}, key=address_order))


def address_order(address: str) -> tuple[bool, str]:
    """A key to sort addresses by: IPv4 first."""
    return ":" in address, address


class Kind(StrEnum):
    """Kind of a change."""

    OPENED = "opened"
    CHANGED = "changed"
    CLOSED = "closed"


@dataclass(frozen=True)
class Change:
    """A port that appeared, looks different, or is gone; `port` is then as it was last seen."""

    kind: Kind
    port: Port
