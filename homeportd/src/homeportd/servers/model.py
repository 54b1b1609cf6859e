"""A server: a dev server that Homeport starts in a repo; its policy, its state, its last end. No I/O."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path


class State(StrEnum):
    """State of a server."""

    STOPPED = "stopped"
    STARTING = "starting"  # its process runs, and listens on no port yet
    LISTENING = "listening"
    STOPPING = "stopping"
    FAILED = "failed"  # it ended by itself, or could not be started
    IDLE = "idle-stopped"  # stopped since nobody used it; a request to its address starts it

    @property
    def alive(self) -> bool:
        """Whether there is a process."""
        return self in (State.STARTING, State.LISTENING, State.STOPPING)


@dataclass(frozen=True)
class End:
    """The end of a process: its exit code or signal, both None where nobody saw it; `detail` is for people."""

    detail: str
    code: int | None = None
    signal: int | None = None


@dataclass(frozen=True)
class Policy:
    """What a person has set for a server, and its number.

    `command` None: the detected one. `idle_stop_s` None: as set for all servers; 0: never. `restart`: after a crash.
    """

    command: str | None = None
    auto_start: bool = False
    restart: bool = False
    idle_stop_s: int | None = None
    port: int | None = None


@dataclass(frozen=True)
class Life:
    """State of a server's life, as transitions.py changes it.

    `wanted`: it is to be started again after a reboot. `ports` are those that its processes listen on, its own number
    first. `crashes` in a row. `after_stop` is the state that a stop leads to; STARTING: a restart.
    """

    state: State = State.STOPPED
    wanted: bool = False
    ports: tuple[int, ...] = ()
    end: End | None = None
    crashes: int = 0
    listened: bool = False
    after_stop: State = State.STOPPED


@dataclass(frozen=True)
class Server:
    """A server of a repo, known by (repo path, name); `id` is made of both and is safe in addresses.

    `directory` is relative to the repo. `detected` is the command that the repo's files describe, None where they do
    not describe this server (any more). `missing` says which dependencies are not installed.
    """

    id: str
    repo: Path
    name: str
    directory: str = ""
    detected: str | None = None
    source: str = ""
    preferred_port: int | None = None
    missing: str | None = None
    policy: Policy = Policy()
    life: Life = Life()
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    created_at: datetime | None = None  # None: nothing of it is stored yet
    updated_at: datetime | None = None
    last_lines: tuple[str, ...] = ()  # of output, at its last end
    by_hand: bool = False  # somebody started it in a terminal: it is listed, and left alone

    @property
    def command(self) -> str | None:
        """The command that a start runs, without its port."""
        return self.policy.command or self.detected

    @property
    def port(self) -> int | None:
        """The port that its address leads to: the one that it listens on, or its number."""
        ports = self.life.ports
        return ports[0] if ports else self.policy.port


def server_id(repo: Path, name: str) -> str:
    """The id of a server."""
    return hashlib.sha256(f"{repo}\0{name}".encode()).hexdigest()[:12]


def main_first(ports: tuple[int, ...], number: int | None) -> tuple[int, ...]:
    """The ports of a server, its own number first."""
    return tuple(sorted(ports, key=lambda port: (port != number, port)))
