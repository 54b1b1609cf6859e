"""Servers that nobody uses are stopped, and started again by the first request of somebody who is let in."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Annotated, Final

from pydantic import BaseModel, Field

from homeportd.errors import HomeportError
from homeportd.http import NoBool
from homeportd.servers.connections import connections
from homeportd.servers.model import Server, State
from homeportd.servers.service import Servers
from homeportd.tasks import TaskSet

SECTION: Final = "servers"  # of the preferences
LOOK_S: Final = 2.0  # between two looks at connections
WAKE_BACKOFF_S: Final = (5.0, 15.0, 60.0, 300.0)  # after each start by a request in a row that failed
WAKE_S: Final = 120.0  # for a server to listen, before another one may be started by a request

_log = logging.getLogger(__name__)


class ServerPreferences(BaseModel):
    """When servers that nobody uses are stopped: after so many seconds without requests and open connections; 0: never.

    A server may have a time of its own.
    """

    idle_stop_s: Annotated[int, Field(ge=0, le=30 * 24 * 3600), NoBool] = 4 * 3600


class IdleStop:
    """Watches requests and connections, stops servers, and starts them by `wake`."""

    def __init__(self, servers: Servers, preferences: Callable[[], ServerPreferences]) -> None:
        self._servers = servers
        self._preferences = preferences
        self._tasks = TaskSet()
        self._used: dict[str, float] = {}
        self._ended: dict[int, frozenset[str]] = {}
        self._waking: str | None = None
        self._tries: dict[
            str, tuple[int, float]
        ] = {}  # starts in a row that failed, and when the next may be
        servers.changed.subscribe(self._changed)

    def start(self) -> None:
        """Look at connections from now on."""
        self._tasks.repeat(LOOK_S, self.sweep, "servers that nobody uses")

    async def close(self) -> None:
        """Stop no server any more."""
        await self._tasks.close()

    def used(self, port: int) -> None:
        """A request for a port was let in."""
        for server in self._servers.catalog.all():
            if port in server.life.ports:
                self._used[server.id] = _now()

    async def sweep(self) -> None:
        """Stop the servers that nobody has used for their time."""
        after = self._preferences().idle_stop_s
        due = {
            server.id: (server, after if server.policy.idle_stop_s is None else server.policy.idle_stop_s)
            for server in self._servers.catalog.all()
            if server.life.state is State.LISTENING
        }
        due = {id_: (server, time_s) for id_, (server, time_s) in due.items() if time_s > 0}
        if not due:
            return
        ports = frozenset(port for server, _ in due.values() for port in server.life.ports)
        found = await asyncio.to_thread(connections, ports)
        for id_, (server, time_s) in due.items():
            last = self._used.setdefault(id_, _now())
            for port in server.life.ports:
                is_open, ended = found[port]
                if is_open or ended - self._ended.get(port, frozenset()):
                    last = self._used[id_] = _now()
                self._ended[port] = ended
            if _now() - last >= time_s:
                _log.info("%s of %s was not used for %d s and is stopped", server.name, server.repo, time_s)
                await self._servers.stop(id_, idle=True)

    def wake(self, port: int) -> bool:
        """Start the idle-stopped server that keeps this port; whether one is starting, or will be soon.

        Asked for requests that are let in. One server is started at a time, and after failures in a row not at once.
        """
        server = self._servers.of_number(port)
        if server is None:
            return False
        if server.life.state in (State.STARTING, State.STOPPING):
            return server.life.state is State.STARTING
        tries, at = self._tries.get(server.id, (0, 0.0))
        failed = server.life.state is State.FAILED and tries > 0
        if server.life.state is not State.IDLE and not failed:
            return False
        if self._waking is None and _now() >= at:
            self._waking = server.id
            wait = WAKE_BACKOFF_S[min(tries, len(WAKE_BACKOFF_S) - 1)]
            self._tries[server.id] = (tries + 1, _now() + wait)
            self._tasks.spawn(self._start(server), f"start of {server.name} by a request")
        return not failed or self._waking == server.id

    async def _start(self, server: Server) -> None:
        try:
            repo = self._servers.repo_of(server)
            if repo is None:
                return
            await self._servers.begin(repo, server.name)
            async with asyncio.timeout(WAKE_S):
                while self._servers.get(server.id).life.state is State.STARTING:  # noqa: ASYNC110 - of many causes
                    await asyncio.sleep(0.1)
        except (HomeportError, TimeoutError) as error:
            _log.warning("%s of %s was not started by a request: %s", server.name, server.repo, error)
        finally:
            self._waking = None

    def _changed(self, server: Server) -> None:
        if server.life.state is State.LISTENING:
            self._tries.pop(server.id, None)
        else:
            self._used.pop(server.id, None)


def _now() -> float:
    return asyncio.get_running_loop().time()
