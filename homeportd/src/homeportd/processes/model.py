"""A process that the agent runs outside itself: what shall run, its state, its exit, its output."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ID: re.Pattern[str] = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")  # a process's id is a folder's name
STOP_TIMEOUT_S = 10.0  # between SIGTERM and SIGKILL, where a spec says nothing else


@dataclass(frozen=True)
class TerminalSize:
    """The size of a terminal in characters."""

    columns: int = 120
    rows: int = 40


@dataclass(frozen=True)
class ProcessSpec:
    """A command to run. `environment` comes on top of the user's own (HOME, PATH, LANG …).

    `terminal`: its output is a terminal, so that it prints colours; else pipes. `interactive`: a shell that a person
    types into; it gets line ends as a terminal shows them, and what it leaves behind ends with it. Limits of
    None are the machine's; they hold where there is a user manager of systemd.
    """

    id: str
    argv: Sequence[str]
    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    terminal: bool = True
    interactive: bool = False
    size: TerminalSize = TerminalSize()
    memory_max: int | None = None  # bytes
    tasks_max: int | None = None
    stop_timeout_s: float = STOP_TIMEOUT_S


class ProcessState(enum.StrEnum):
    """Where a process is in its life. `exited`: nothing of its tree is left."""

    STARTING = "starting"
    RUNNING = "running"
    EXITED = "exited"


@dataclass(frozen=True)
class ProcessIdentity:
    """A process for good: pids are given again, a pid with its start time (clock ticks since boot) is not."""

    pid: int
    start_time: int


@dataclass(frozen=True)
class Exit:
    """How the first process of a tree ended, and when (seconds since 1970).

    `code` or `signal` is set; both are None where nobody saw the end (its runner was killed, the machine was switched
    off) and where the command could not be run, which `failure` says as a phrase for people.
    """

    code: int | None
    signal: int | None
    at: float
    failure: str | None = None


@dataclass(frozen=True)
class Process:
    """A process as it is now. `run` tells one start of an id from the next.

    `exit` is set as soon as the first process has ended, which may be before the rest of its tree does; `stopped`
    says that `stop` was called for it. `output_from` is the offset at which this run's output begins.
    """

    id: str
    run: str
    state: ProcessState
    started_at: float  # seconds since 1970
    identity: ProcessIdentity | None = None  # of the first process; None before there is one
    runner: ProcessIdentity | None = None
    exit: Exit | None = None
    stopped: bool = False
    output_from: int = 0


@dataclass(frozen=True)
class Chunk:
    """A piece of output: raw bytes, where they begin, and when they were printed (seconds since 1970)."""

    offset: int
    time: float
    data: bytes

    @property
    def end(self) -> int:
        """The offset after the last byte."""
        return self.offset + len(self.data)


@dataclass(frozen=True)
class OutputLine:
    """A line of output without its end; `text` may hold escape sequences (colours). `end` is where the next begins."""

    offset: int
    end: int
    time: float
    text: str


@dataclass(frozen=True)
class Usage:
    """What a whole tree uses. `cpu` is 1.0 for one busy processor, None at the first look."""

    memory: int  # bytes, resident
    cpu_s: float
    cpu: float | None
    processes: int
