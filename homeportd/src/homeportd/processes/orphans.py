"""Ends of trees from outside: signals to a runner, and orphans, the processes of a run whose runner was killed.

The environment of an orphan names the run that it belongs to.
"""

from __future__ import annotations

import os
import signal
import time
from typing import Final

from homeportd.processes.model import ProcessIdentity
from homeportd.processes.runner import tree
from homeportd.processes.table import marked

TERM_S: Final = 2.0  # between SIGTERM and SIGKILL: nobody reads what they print any more
ROUND_S: Final = 0.02
MAX_ROUNDS: Final = 250  # what is left then waits for a disk, or is another user's


def alive(identity: ProcessIdentity | None) -> bool:
    """Whether a process is there, and is that one."""
    return identity is not None and tree.start_time(identity.pid) == identity.start_time


def send_to(identity: ProcessIdentity | None, number: int) -> None:
    """Signal that very process, or none: a descriptor of it keeps its pid from being another's meanwhile."""
    if identity is None:
        return
    try:
        descriptor = os.pidfd_open(identity.pid)
    except OSError:
        return
    try:
        if alive(identity):
            signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        pass
    finally:
        os.close(descriptor)


def _left(variable: str, value: str) -> list[int]:
    """The marked processes, and all below them."""
    roots = marked(variable, value)
    return [pid for pid in (*roots, *tree.below(roots, tree.processes())) if pid != os.getpid()]


def end_orphans(variable: str, value: str) -> bool:
    """End every process that is marked so, with its tree; False where some could not be ended. Blocks for seconds."""
    left = _left(variable, value)
    if not left:
        return True
    tree.send(left, signal.SIGTERM)
    tree.send(left, signal.SIGCONT)
    until = time.monotonic() + TERM_S
    while (left := _left(variable, value)) and time.monotonic() < until:
        time.sleep(ROUND_S)
    for _ in range(MAX_ROUNDS):
        if not left:
            return True
        tree.send(left, signal.SIGSTOP)
        tree.send(_left(variable, value), signal.SIGKILL)
        time.sleep(ROUND_S)
        left = _left(variable, value)
    return not left
