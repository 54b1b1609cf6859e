"""A port: a listening TCP socket, and the process that holds it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
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
class Port:
    """A port number with a listener.

    `addresses` are the bound IP addresses in text form, `0.0.0.0` and `::` for wildcards.
    `owner` is None for a process that may not be read; `user` is known even then, from the socket.
    `repo` is a repo id, `subdir` the folder of the process relative to the repo (empty for its root).
    """

    port: int
    addresses: tuple[str, ...]
    first_seen: datetime
    owner: Owner | None = None
    user: str | None = None  # of the owner, or else of who made the socket
    title: str | None = None  # "vite", "next", "python": what a person would call it
    repo: str | None = None
    subdir: str | None = None
    dual_stack: bool = False  # `::` takes IPv4 connections too

    @property
    def upstream(self) -> str:
        """The address to dial on this machine, as host:port; a wildcard is reached on loopback.

        IPv4 first: of two sockets on one number, the IPv4 one is what `localhost` meant to most tools.
        """
        for address in sorted(self.addresses, key=lambda text: ":" in text):
            if address in ("0.0.0.0", "::ffff:0.0.0.0"):  # noqa: S104 - compared, not bound
                return f"127.0.0.1:{self.port}"
            if address == "::":
                if self.dual_stack:  # reached by IPv4 even where the loopback interface has no IPv6 address
                    return f"127.0.0.1:{self.port}"
                return f"[::1]:{self.port}"
            return f"[{address}]:{self.port}" if ":" in address else f"{address}:{self.port}"
        raise ValueError(f"port {self.port} has no address")


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
