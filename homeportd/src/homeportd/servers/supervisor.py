"""The lives of servers: transitions.py's steps carried out with real processes, and kept in the database."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Final

from homeportd import clock
from homeportd.errors import HomeportError, Problem
from homeportd.ports.service import Ports
from homeportd.processes.model import Process, ProcessSpec
from homeportd.processes.service import Processes
from homeportd.servers import transitions
from homeportd.servers.catalog import Catalog, read_scripts
from homeportd.servers.environment import environment
from homeportd.servers.membership import PREFIX, Membership
from homeportd.servers.model import End, Life, Server, State, main_first
from homeportd.servers.port_flags import with_port
from homeportd.servers.store import ServerStore
from homeportd.servers.text import plain
from homeportd.signal import Signal
from homeportd.tasks import TaskSet

LOOK_S: Final = 0.1  # between two scans of ports while a server starts
LOOK_FAST_S: Final = 60.0  # for which a start is looked at so often
SETTLE_S: Final = 3.0  # after which a server that listens on another number than its own keeps that one
LAST_LINES: Final = 20  # of output, that an end is shown with
LAUNCHES: Final = 4  # of processes, at once
CLOSE_S: Final = 5.0

_log = logging.getLogger(__name__)


class Supervisor:
    """Carries out what is asked of each server, in turn; `turn` is held meanwhile."""

    def __init__(
        self,
        catalog: Catalog,
        store: ServerStore,
        ports: Ports,
        processes: Processes,
        membership: Membership,
    ) -> None:
        self.crashed: Signal[[Server]] = Signal()
        self._catalog = catalog
        self._store = store
        self._ports = ports
        self._processes = processes
        self._membership = membership
        self._tasks = TaskSet()
        self._turns: dict[str, asyncio.Lock] = {}
        self._runs: dict[str, str] = {}  # the run of each server whose end has not been noted
        self._ending: dict[str, asyncio.Task[None]] = {}
        self._launching = asyncio.Semaphore(LAUNCHES)

    def start(self, *, booted: bool) -> None:
        """Take up what runs, start what ran before the agent or the machine ended, and watch.

        `booted`: since then the machine has been started; what is to start with it does.
        """
        self._processes.exited.subscribe(self._process_ended)
        for server in self._catalog.all():
            self._take_up(server, booted=booted)
        self._ports.refresh()
        self._ports.changed.subscribe(lambda _change: self._look())
        self._look()

    async def close(self) -> None:
        """Watch no more; the servers go on."""
        await self._tasks.close(CLOSE_S)

    def turn(self, server: str) -> asyncio.Lock:
        """The lock that whoever changes a server holds."""
        return self._turns.setdefault(server, asyncio.Lock())

    def apply(self, server: Server, step: transitions.Step, **changes: Any) -> Server:
        """Keep the next state of a server, and begin what it asks for."""
        life, action = step
        moment = clock.now()
        if life.state is State.STARTING and server.life.state is not State.STARTING:
            changes |= {"started_at": moment, "last_lines": ()}
        if server.life.state.alive and not life.state.alive:
            changes |= {"stopped_at": moment}
        server = replace(server, life=life, **changes)
        self._catalog.put(server)
        match action:
            case transitions.Spawn():
                self.spawn(self._launch(server.id), f"start {server.id}")
            case transitions.Stop():
                self._ending[server.id] = self.spawn(self._end(server.id), f"stop {server.id}")
            case transitions.Retry(after_s):
                asyncio.get_running_loop().call_later(after_s, self._retry, server.id)
        if not isinstance(action, transitions.Spawn):  # a launch saves by itself, before the process is there
            self.spawn(self._save_present(server.id), f"save {server.id}")
        return server

    async def stopped(self, server: str) -> None:
        """Wait for the end of a stop that is under way."""
        ending = self._ending.get(server)
        if ending is not None:
            await asyncio.wait({ending})

    async def save(self, server: Server) -> Server:
        """Keep a server, in the database first. Raises sqlite3.Error."""
        moment = clock.now()
        server = replace(server, created_at=server.created_at or moment, updated_at=moment)
        await self._store.save(server)
        self._catalog.put(server)
        return server

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run work beside the caller, until the supervisor is closed."""
        return self._tasks.spawn(work, f"servers: {name}")

    def repeat(self, period_s: float, action: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        """Call an action again and again, until the supervisor is closed."""
        self._tasks.repeat(period_s, action, f"servers: {name}")

    async def _save_present(self, id_: str) -> None:
        server = self._catalog.get(id_)
        if server is not None and server.created_at is not None:
            await self._store.save(server)

    async def _launch(self, id_: str) -> None:
        async with self._launching, self.turn(id_):
            server = self._catalog.get(id_)
            if server is None or server.life.state is not State.STARTING:
                return
            try:
                if server.command is None:  # after a start of the agent, its repo has not been looked at yet
                    await self._catalog.look(server.repo, fresh=True)
                    server = self._catalog.get(id_) or server
                server = await self.save(server)
                process = await self._processes.start(await asyncio.to_thread(_spec, server))
            except (HomeportError, OSError, sqlite3.Error) as error:
                detail = error.detail if isinstance(error, HomeportError) else str(error)
                self._note(server, End(detail), ran_s=0.0)
                return
            self._runs[id_] = process.run
            self._know(process, id_)
        self.spawn(self._look_often(id_), f"look at {id_}")

    async def _end(self, id_: str) -> None:
        async with self.turn(id_):
            try:
                process = await self._processes.stop(PREFIX + id_)
            except Problem:  # it never was one
                process = None
            except TimeoutError:
                _log.error("the processes of the server %s do not end", id_)
                return
            server = self._catalog.get(id_)
            if server is not None and server.life.state is State.STOPPING:
                self._forget_run(id_)
                self._note(server, _end_of(process), ran_s=0.0, lines=await self._last_lines(id_))

    def _process_ended(self, process: Process) -> None:
        if process.id.startswith(PREFIX):
            self.spawn(self._finish(process), f"end of {process.id}")

    async def _finish(self, process: Process) -> None:
        id_ = process.id.removeprefix(PREFIX)
        async with self.turn(id_):
            if self._runs.get(id_) != process.run:
                return  # its end was noted by who stopped it
            self._forget_run(id_)
            lines = await self._last_lines(id_)
            server = self._catalog.get(id_)
            if server is not None:
                ran_s = time.time() - process.started_at
                self._note(server, _end_of(process), ran_s=ran_s, lines=lines, outside=process.stopped)

    def _note(
        self, server: Server, end: End, *, ran_s: float, lines: tuple[str, ...] = (), outside: bool = False
    ) -> None:
        """Note the end of a server's process."""
        step = transitions.exited(
            server.life, end, restart=server.policy.restart, ran_s=ran_s, outside=outside
        )
        server = self.apply(server, step, last_lines=lines)
        if server.life.state is State.FAILED:
            self.crashed.emit(server)

    async def _last_lines(self, id_: str) -> tuple[str, ...]:
        try:
            lines = await self._processes.tail(PREFIX + id_, LAST_LINES, this_run=True)
        except OSError:
            return ()
        return tuple(plain(line.text)[:500] for line in lines)

    def _retry(self, id_: str) -> None:
        server = self._catalog.get(id_)
        if server is not None:
            self.apply(server, transitions.retry(server.life))

    def _take_up(self, server: Server, *, booted: bool) -> None:
        process = self._processes.get(PREFIX + server.id)
        life = server.life
        if process is not None and self._processes.running(process.id):
            self._runs[server.id] = process.run
            self._know(process, server.id)
            stopping = life.state is State.STOPPING
            running = Life(State.STARTING, wanted=True)
            self._catalog.put(replace(server, life=running))
            if stopping:
                self.apply(self._catalog.get(server.id) or server, transitions.stop(running))
            return
        ended = process.exit if process is not None else None
        seen = ended is not None and not (ended.code is None and ended.signal is None)
        outside = process is not None and process.stopped
        restore = life.wanted or (booted and server.policy.auto_start)
        if life.state in (State.STARTING, State.LISTENING) and seen and not outside and not booted:
            self._note(server, _end_of(process), ran_s=0.0)  # while no agent ran
        elif life.state.alive or restore:
            still = replace(server, life=Life(State.STOPPED, wanted=restore, end=life.end))
            self.apply(still, transitions.start(still.life) if restore else (still.life, None))

    def _know(self, process: Process, id_: str) -> None:
        if process.runner is not None:
            self._membership.add(id_, process.runner.pid)
        self._ports.refresh()

    def _forget_run(self, id_: str) -> None:
        self._runs.pop(id_, None)
        self._membership.remove(id_)

    # Ports

    async def _look_often(self, id_: str) -> None:
        """Look at ports until a server listens."""
        loop = asyncio.get_running_loop()
        until = loop.time() + LOOK_FAST_S
        while loop.time() < until:
            server = self._catalog.get(id_)
            if server is None or server.life.state is not State.STARTING:
                return
            await asyncio.sleep(LOOK_S)
            await self._ports.look_again()

    def _look(self) -> None:
        """Take each server's ports from what listens now."""
        listening: dict[str, set[int]] = {}
        for port in self._ports.snapshot().values():
            for program in port.programs:
                if program.server is not None:
                    listening.setdefault(program.server, set()).add(port.port)
        for server in self._catalog.all():
            if not server.life.state.alive:
                continue
            ports = main_first(tuple(listening.get(server.id, ())), server.policy.port)
            life = transitions.listens(server.life, ports)
            if life != server.life:
                self.apply(server, (life, None))
                if ports and server.policy.port not in ports:
                    asyncio.get_running_loop().call_later(SETTLE_S, self._settle, server.id)

    def _settle(self, id_: str) -> None:
        """Let a server that listens on another number than its own keep that one."""
        server = self._catalog.get(id_)
        if server is None or server.life.state is not State.LISTENING:
            return
        ports = server.life.ports
        if server.policy.port not in ports and ports[0] not in self._catalog.numbers(id_):
            policy = replace(server.policy, port=ports[0])
            self.apply(replace(server, policy=policy), (server.life, None))


def _spec(server: Server) -> ProcessSpec:
    """The process of a server; blocking. Raises Problem where its folder is gone."""
    folder = server.repo / server.directory
    if not folder.is_dir():
        raise Problem(409, f"the folder {folder} is gone", "clone the repository again")
    if folder.stat().st_uid != os.getuid():
        raise Problem(
            409, f"the folder {folder} belongs to another user", "homeport list says how it becomes yours"
        )
    if server.command is None:
        raise Problem(409, "its start command is gone from the repo", "give one with --command")
    number = server.policy.port
    command = server.command
    if number is not None:
        command = with_port(command, read_scripts(server.repo, server.directory), number)
    return ProcessSpec(
        id=PREFIX + server.id,
        argv=("/bin/sh", "-c", command),
        directory=folder,
        environment=environment(number),
        terminal=True,
    )


def _end_of(process: Process | None) -> End:
    """The end of a process, for people."""
    found = process.exit if process is not None else None
    if found is None:
        return End("nobody saw how it ended")
    if found.failure is not None:
        return End(found.failure)
    if found.signal is not None:
        try:
            name = signal.Signals(found.signal).name
        except ValueError:
            name = f"signal {found.signal}"
        return End(f"ended by {name}", signal=found.signal)
    return End(f"exited with code {found.code}", code=found.code)
