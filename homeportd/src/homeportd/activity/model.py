"""An entry of the activity feed, made of what changed. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from homeportd.jobs.model import Job
from homeportd.jobs.model import State as JobState
from homeportd.servers.model import Server
from homeportd.servers.model import State as ServerState
from homeportd.shares.model import Mode, Share

MAX_TEXT: Final = 500  # characters of a name or a detail


class Kind(StrEnum):
    """Kind of what happened."""

    STARTED = "started"
    LISTENING = "listening"
    STOPPED = "stopped"
    IDLE = "idle-stopped"
    FAILED = "failed"
    SHARED = "shared"
    UNSHARED = "unshared"
    PAUSED = "paused"
    DONE = "done"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Entry:
    """A row of the feed.

    `subject`: the repo's id, empty where there is none. `name`: the server, port or job. `by`: what the owner used for
    it, empty where nobody asked. `id` is 0 until it is on disk.
    """

    subject: str
    time: str
    kind: Kind
    name: str
    detail: str
    by: str
    id: int = 0


_SERVER: Final = {
    ServerState.STARTING: Kind.STARTED,
    ServerState.LISTENING: Kind.LISTENING,
    ServerState.STOPPED: Kind.STOPPED,
    ServerState.IDLE: Kind.IDLE,
    ServerState.FAILED: Kind.FAILED,
}
_JOB: Final = {
    JobState.DONE: Kind.DONE,
    JobState.FAILED: Kind.FAILED,
    JobState.CUT: Kind.FAILED,
    JobState.CANCELLED: Kind.CANCELLED,
}


def of_server(before: ServerState | None, server: Server) -> tuple[Kind, str] | None:
    """What a change of a server means; None: nothing to tell. `before` None: it was not known."""
    state = server.life.state
    kind = _SERVER.get(state)
    if kind is None or state is before or (before is None and not state.alive):
        return None
    if kind is Kind.LISTENING:
        return kind, "on " + ", ".join(map(str, server.life.ports)) if server.life.ports else ""
    end = server.life.end
    return kind, end.detail if kind is Kind.FAILED and end is not None else ""


def of_share(before: Mode, share: Share | None) -> tuple[Kind, str] | None:
    """What a change of a share means; None: nothing to tell."""
    if share is None or share.mode is Mode.PRIVATE:
        return (Kind.UNSHARED, "") if before is not Mode.PRIVATE else None
    return Kind.SHARED, "with a password" if share.mode is Mode.PASSWORD else "with everybody"


def of_job(job: Job) -> tuple[Kind, str] | None:
    """What a change of a job means; None while it goes on."""
    kind = _JOB.get(job.state)
    if kind is None:
        return None
    return kind, job.error.detail if job.error is not None else ""
