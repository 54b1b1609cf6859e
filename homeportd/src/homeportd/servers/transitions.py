"""The transitions of a server's life: from a state and an event to the next state and what is to be done. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from homeportd.servers.model import End, Life, State

BACKOFF_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)  # before the restart after each crash in a row
STEADY_S: Final = 60.0  # of running, after which a crash is the first of a row


@dataclass(frozen=True)
class Spawn:
    """Start the process."""


@dataclass(frozen=True)
class Stop:
    """Stop the process and its whole tree."""


@dataclass(frozen=True)
class Retry:
    """Call `retry` in `after_s` seconds."""

    after_s: float


Action = Spawn | Stop | Retry
Step = tuple[Life, Action | None]


def start(life: Life) -> Step:
    """Start a server. One that runs is left alone; one that is being stopped starts when it has."""
    if life.state is State.STOPPING:
        return replace(life, after_stop=State.STARTING, wanted=True), None
    if life.state.alive:
        return life, None
    return Life(State.STARTING, wanted=True, crashes=0), Spawn()


def stop(life: Life, *, idle: bool = False, again: bool = False) -> Step:
    """Stop a server: because a person said so, because nobody uses it (`idle`), or to start it `again`."""
    after = State.STARTING if again else State.IDLE if idle else State.STOPPED
    if life.state is State.STOPPING:
        return replace(life, after_stop=after, wanted=again), None
    if life.state.alive:
        return replace(life, state=State.STOPPING, wanted=again, after_stop=after), Stop()
    if again:
        return start(life)
    if idle:
        return life, None
    return replace(life, state=State.STOPPED, wanted=False, end=None, crashes=0), None


def listens(life: Life, ports: tuple[int, ...]) -> Life:
    """The ports of its processes are these now."""
    if not life.state.alive:
        return life
    if life.state is State.STOPPING:
        return replace(life, ports=ports)
    state = State.LISTENING if ports else State.STARTING
    return replace(life, state=state, ports=ports, listened=life.listened or bool(ports))


def exited(life: Life, end: End, *, restart: bool, ran_s: float, outside: bool = False) -> Step:
    """Nothing of its processes is left. What ends by itself has failed, unless it served and ended with code 0.

    `outside`: something else than Homeport stopped it in order, such as a shutdown; it is to run after the boot.
    """
    if not life.state.alive:
        return life, None
    if life.state is State.STOPPING:
        if life.after_stop is State.STARTING:
            return Life(State.STARTING, wanted=True), Spawn()
        return Life(life.after_stop), None
    if outside:
        return Life(State.STOPPED, wanted=True, end=end), None
    if life.listened and end.code == 0:
        return Life(State.STOPPED, end=end), None
    crashes = 1 if ran_s >= STEADY_S else life.crashes + 1
    failed = Life(State.FAILED, wanted=restart, end=end, crashes=crashes)
    return failed, Retry(BACKOFF_S[min(crashes, len(BACKOFF_S)) - 1]) if restart else None


def retry(life: Life) -> Step:
    """The time of a restart after a crash has come; nothing where somebody stopped or started it meanwhile."""
    if life.state is not State.FAILED or not life.wanted:
        return life, None
    return Life(State.STARTING, wanted=True, crashes=life.crashes), Spawn()
