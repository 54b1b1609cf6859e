"""The tree of a process: everything below it, as proc(5) shows it; shared by the runner and the agent."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Mapping
from typing import NamedTuple

ZOMBIE = b"Z"
_SIGNALLED_FROM = 2  # a pid below is never signalled: 1 is init, 0 and -1 are whole groups


class Stat(NamedTuple):
    """The part of /proc/<pid>/stat that matters here. Times are in clock ticks, `started` since boot."""

    state: bytes
    parent: int
    cpu: int  # in user and system mode, with that of children that were waited for
    started: int
    rss: int  # pages


def stat(pid: int) -> Stat | None:
    """The stat of a process; None where it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb", 0) as file:
            data = file.read(4096)
    except OSError:
        return None
    # The name before is in parentheses, and may hold blanks and parentheses itself.
    fields = data[data.rfind(b")") + 2 :].split()
    return Stat(fields[0], int(fields[1]), sum(map(int, fields[11:15])), int(fields[19]), int(fields[21]))


def start_time(pid: int) -> int | None:
    """When a process was started, in clock ticks since boot; None where it is gone or a zombie."""
    found = stat(pid)
    return None if found is None or found.state == ZOMBIE else found.started


def processes() -> dict[int, Stat]:
    """All processes of the machine that are not zombies."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            one = stat(int(name))
            if one is not None and one.state != ZOMBIE:
                found[int(name)] = one
    return found


def below(roots: Iterable[int], table: Mapping[int, Stat]) -> list[int]:
    """The pids below `roots`, without these, parents before children."""
    children: dict[int, list[int]] = {}
    for pid, one in table.items():
        children.setdefault(one.parent, []).append(pid)
    found: list[int] = []
    todo = list(roots)
    seen = set(todo)
    while todo:
        for child in children.get(todo.pop(0), ()):
            if child not in seen:  # a pid may have been given again while the table was read
                seen.add(child)
                found.append(child)
                todo.append(child)
    return found


def descendants(root: int) -> list[int]:
    """The pids below `root` now, parents before children."""
    return below((root,), processes())


def send(pids: Iterable[int], number: int) -> None:
    """Send a signal to each of `pids` that is still there."""
    for pid in pids:
        if pid < _SIGNALLED_FROM or pid == os.getpid():
            continue
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):  # gone, or another user's by sudo
            continue


def kill_below(root: int) -> None:
    """One round of killing all below `root`: stopped first, so that nothing forks away from the list."""
    send(descendants(root), signal.SIGSTOP)
    send(descendants(root), signal.SIGKILL)
