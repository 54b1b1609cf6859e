"""The server that a process belongs to: by its ancestors, or by what its environment inherited."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Final

from homeportd.ports.model import Owner
from homeportd.processes.model import Process
from homeportd.processes.runner import tree

PREFIX: Final = "server-"  # of a server's process id, before its own
MAX_ANCESTORS: Final = 32
MAX_KNOWN: Final = 1024  # answers that are remembered
MAX_ENVIRONMENT: Final = 256 * 1024  # bytes of /proc/<pid>/environ that are read

_MARK = re.compile(rb"(?:^|\0)HOMEPORT_PROCESS=" + PREFIX.encode() + rb"([0-9a-f]{12})/")


class Membership:
    """Answers from `/proc`. `add` names a server's runner, below which its whole tree is."""

    def __init__(self) -> None:
        self._runners: dict[int, str] = {}
        self._known: dict[tuple[int, object], str | None] = {}

    def add(self, server: str, runner: int) -> None:
        """Note the pid of a server's runner."""
        self.remove(server)
        self._runners[runner] = server

    def take_up(self, processes: Iterable[Process]) -> None:
        """Note the runners of servers that run since before the agent."""
        for process in processes:
            if process.id.startswith(PREFIX) and process.runner is not None:
                self.add(process.id.removeprefix(PREFIX), process.runner.pid)

    def remove(self, server: str) -> None:
        """Forget the runner of a server that has ended."""
        self._runners = {pid: other for pid, other in self._runners.items() if other != server}
        self._known.clear()

    def server_of(self, owner: Owner) -> str | None:
        """The id of the server that this process is part of, None where it is of none."""
        key = (owner.pid, owner.started_at)
        found = self._known.get(key) or _server_of(owner.pid, self._runners)
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known[key] = found
        return found


def _server_of(pid: int, runners: dict[int, str]) -> str | None:
    if not runners:
        return None
    ancestor = pid
    for _ in range(MAX_ANCESTORS):
        if ancestor in runners:
            return runners[ancestor]
        found = tree.stat(ancestor)
        if found is None or found.parent <= 1:
            break
        ancestor = found.parent
    marked = _marked(pid)
    return marked if marked in runners.values() else None


def _marked(pid: int) -> str | None:
    try:
        descriptor = os.open(f"/proc/{pid}/environ", os.O_RDONLY | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            match = _MARK.search(file.read(MAX_ENVIRONMENT))
    except OSError:
        return None
    return match[1].decode() if match else None
