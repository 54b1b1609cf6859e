"""The servers of this machine's repos: found, started, stopped, and what a person has set for each."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from homeportd.accounts import own_name
from homeportd.errors import Problem, not_found
from homeportd.ports.model import Owner, Program
from homeportd.ports.service import Ports
from homeportd.ports.settings import PortsSettings
from homeportd.processes.service import Processes
from homeportd.repos.model import Repo
from homeportd.repos.service import Repos
from homeportd.servers import numbers, transitions
from homeportd.servers.boot import boot_id
from homeportd.servers.catalog import Catalog
from homeportd.servers.detection.model import fit_name
from homeportd.servers.membership import Membership
from homeportd.servers.model import End, Life, Policy, Server, State, server_id
from homeportd.servers.store import ServerStore
from homeportd.servers.supervisor import Supervisor
from homeportd.signal import Signal

REMOVED_S: Final = 2.0  # between two looks whether the repos of running servers are there
LEAVE_S: Final = 0.2  # between two looks whether a number has become free
LEAVE_TRIES: Final = 5
BY_HAND: Final = "port-"  # of the id of a server that was started in a terminal, before its port


class Servers:
    """All servers. What is asked of one server is done in turn."""

    def __init__(
        self,
        store: ServerStore,
        repos: Repos,
        ports: Ports,
        processes: Processes,
        settings: PortsSettings,
        membership: Membership,
    ) -> None:
        self.catalog = Catalog()
        self._store = store
        self._repos = repos
        self._ports = ports
        self._settings = settings
        self._supervisor = Supervisor(self.catalog, store, ports, processes, membership)

    @property
    def changed(self) -> Signal[[Server]]:
        """Emitted with each server that looks different."""
        return self.catalog.changed

    @property
    def crashed(self) -> Signal[[Server]]:
        """Emitted with a server that has ended by itself, or could not be started."""
        return self._supervisor.crashed

    async def start(self) -> None:
        """Take up what runs, start again what ran, and watch. Raises sqlite3.Error."""
        for server in await self._store.all():
            self.catalog.put(server)
        booted = await self._store.is_new_boot(await asyncio.to_thread(boot_id))
        self._repos.changed.subscribe(self._repos_changed)
        self._repos_changed()
        self._supervisor.start(booted=booted)
        self._supervisor.repeat(REMOVED_S, self._stop_removed, "removed repos")

    async def close(self) -> None:
        """Watch no more; the servers go on."""
        await self._supervisor.close()

    def get(self, server: str) -> Server:
        """A server, by hand ones too. Raises Problem 404."""
        found = self.catalog.get(server)
        if found is None and server.startswith(BY_HAND):
            found = next((each for each in self.by_hand() if each.id == server), None)
        if found is None:
            raise not_found(f"the server {server}", "homeport servers lists them")
        return found

    async def of(self, repo: Repo) -> list[Server]:
        """The servers of a repo, after a look at its files: the main one first, those by hand last."""
        if _is_own(repo):
            await self.catalog.look(repo.path)
        return self.catalog.of(repo.path) + [each for each in self.by_hand() if each.repo == repo.path]

    def all(self) -> list[Server]:
        """Every server that is known, by hand ones too. Looks at new repos begin, whose servers come by `changed`."""
        self._look_at_new()
        return self.catalog.all() + self.by_hand()

    def by_hand(self) -> list[Server]:
        """The servers that listen in repos and that Homeport did not start."""
        found = []
        for port in self._ports.snapshot().values():
            program = port.programs[0]
            if program.server is None and program.worktree is not None:
                found.append(_by_hand(program, Path(program.worktree)))
        return found

    async def find(self, repo: Repo, name: str | None, *, command: str | None = None) -> Server:
        """A server of a repo by its name; None: the main one. With a `command` there need not be one yet.

        Raises Problem 404.
        """
        servers: list[Server] = []
        for fresh in (False, True):  # it may have been described a moment ago
            await self.catalog.look(repo.path, fresh=fresh)
            servers = self.catalog.of(repo.path)
            for server in servers:
                if name in (None, server.name):
                    return server
        if command is not None:
            name = name or "main"
            return Server(server_id(repo.path, name), repo.path, name)
        if name is None:
            raise Problem(
                404,
                f"no start command was found in {repo.id}",
                f"give one: homeport start {repo.id} --command COMMAND",
            )
        known = ", ".join(each.name for each in servers[:10])
        raise not_found(
            f"the server {name} of {repo.id}",
            f"it has {known}" if known else f"homeport start {repo.id}/{name} --command COMMAND",
        )

    async def begin(
        self, repo: Repo, name: str | None = None, *, command: str | None = None, port: int | None = None
    ) -> Server:
        """Start a server; one that runs is left alone. `command` and `port` are kept for it.

        Raises Problem 404, 409 where the repo is another user's, its number is taken, or none is free, sqlite3.Error.
        """
        refuse_foreign(repo)
        server = await self.find(repo, name, command=command)
        async with self._supervisor.turn(server.id):
            server = self.catalog.get(server.id) or server
            if server.life.state in (State.STARTING, State.LISTENING):
                return server
            policy = server.policy
            if command is not None:
                policy = replace(policy, command=None if command == server.detected else command)
            if port is not None:
                self._refuse_reserved(port, server)
                policy = replace(policy, port=port)
            server = replace(server, policy=policy)
            if server.command is None:
                raise Problem(
                    409,
                    f"the start command of {server.name} is gone from {repo.id}",
                    f"give one: homeport start {repo.id}/{server.name} --command COMMAND",
                )
            await self._refuse_taken(server)
            server = await self._supervisor.save(await self._numbered(server))
            return self._supervisor.apply(server, transitions.start(server.life))

    async def stop(self, server: str, *, idle: bool = False) -> Server:
        """Stop a server and its whole tree; returns when it has stopped. Raises Problem 404, 409 for one by hand."""
        self._refuse_by_hand(server)
        async with self._supervisor.turn(server):
            found = self.get(server)
            self._supervisor.apply(found, transitions.stop(found.life, idle=idle))
        await self._supervisor.stopped(server)
        return self.get(server)

    async def restart(self, server: str) -> Server:
        """Stop a server and start it again; one that does not run is started. Raises Problem 404, 409."""
        self._refuse_by_hand(server)
        found = self.get(server)
        if not found.life.state.alive:
            repo = self.repo_of(found)
            if repo is None:
                raise not_found(f"the repo {found.repo}", "homeport list shows what there is")
            return await self.begin(repo, found.name)
        async with self._supervisor.turn(server):
            found = self.get(server)
            self._supervisor.apply(found, transitions.stop(found.life, again=True))
        await self._supervisor.stopped(server)
        return self.get(server)

    async def set(self, server: str, change: Callable[[Policy], Policy]) -> Server:
        """Change what a person has set for a server. Raises Problem 404, 409 for a number that another one has."""
        self._refuse_by_hand(server)
        async with self._supervisor.turn(server):
            found = self.get(server)
            changed = replace(found, policy=change(found.policy))
            if changed.policy.port is not None and changed.policy.port != found.policy.port:
                self._refuse_reserved(changed.policy.port, found)
            return await self._supervisor.save(changed)

    def repo_of(self, server: Server) -> Repo | None:
        """The repo of a server, None where it is gone."""
        return next((repo for repo in self._repos.all() if repo.path == server.repo), None)

    def running_in(self, path: Path) -> list[Server]:
        """The servers of a repo that have a process."""
        return [each for each in self.catalog.of(path) if each.life.state.alive]

    def of_number(self, port: int) -> Server | None:
        """The server that keeps this number."""
        return next((each for each in self.catalog.all() if each.policy.port == port), None)

    def _refuse_by_hand(self, server: str) -> None:
        if self.get(server).by_hand:
            raise Problem(
                409,
                f"port {server.removeprefix(BY_HAND)} was not started by Homeport, which leaves it alone",
                "stop it where it was started",
            )

    def _refuse_reserved(self, port: int, server: Server) -> None:
        if not self._settings.covers(port):
            ranges = ", ".join(self._settings.port_ranges)
            raise Problem(
                409, f"port {port} is not within {ranges}, or is Homeport's own", "choose another one"
            )
        if port in self.catalog.numbers(server.id):
            other = self.of_number(port)
            named = f"the server {other.name} of {other.repo}" if other is not None else "another server"
            raise Problem(409, f"port {port} is kept for {named}", "choose another one")

    async def _refuse_taken(self, server: Server) -> None:
        """Raise Problem 409 where something else listens on a server's number."""
        number = server.policy.port
        for _ in range(LEAVE_TRIES):
            if number is None or await asyncio.to_thread(is_free, number):
                return
            await asyncio.sleep(LEAVE_S)  # what has just been ended may hold it still
        assert number is not None  # noqa: S101 - as the loop says
        await self._ports.look_again()
        found = self._ports.get(number)
        program = found.programs[0] if found is not None else None
        who = (program.title or program.user) if program is not None else None
        where = f" in {program.worktree}" if program is not None and program.worktree else ""
        raise Problem(
            409,
            f"port {number} of {server.name} is taken by {who or 'another program'}{where}",
            "stop that, or give the server another number with --port",
        )

    async def _numbered(self, server: Server) -> Server:
        """The server with a number to keep. Raises Problem 409."""
        if server.policy.port is not None and self._settings.covers(server.policy.port):
            return server
        reserved = (
            self.catalog.numbers(server.id) | self._settings.own_ports | frozenset(self._ports.snapshot())
        )
        number = await asyncio.to_thread(
            numbers.choose, server.preferred_port, reserved, self._settings.ranges, is_free
        )
        if number is None:
            raise Problem(409, "no port is free", "widen homeport_port_ranges, or stop what listens")
        return replace(server, policy=replace(server.policy, port=number))

    def _repos_changed(self) -> None:
        self.catalog.forget({repo.path for repo in self._repos.all()})
        self._look_at_new()

    def _look_at_new(self) -> None:
        for repo in self._repos.all():
            if _is_own(repo) and self.catalog.is_new(repo.path):
                self._supervisor.spawn(self.catalog.look(repo.path), f"look at {repo.id}")

    async def _stop_removed(self) -> None:
        """Stop servers whose repo is gone."""
        alive = [each for each in self.catalog.all() if each.life.state.alive]
        for server in alive:
            if await asyncio.to_thread(os.path.lexists, server.repo / ".git"):
                continue
            stopped = await self.stop(server.id)
            end = End(f"its repo {server.repo} was removed")
            self._supervisor.apply(stopped, (replace(stopped.life, end=end), None))


def refuse_foreign(repo: Repo) -> None:
    """Raise Problem 409 for a repo of another user, whose commands are not run as the agent's."""
    if not _is_own(repo):
        raise Problem(
            409,
            f"{repo.id} belongs to {repo.owner or 'another user'}, and servers run as {own_name()}",
            "homeport list says how it becomes yours",
        )


def _is_own(repo: Repo) -> bool:
    return repo.uid == os.getuid()


def _by_hand(program: Program, repo: Path) -> Server:
    port = program.port
    owner: Owner | None = program.owner
    return Server(
        id=f"{BY_HAND}{port}",
        repo=repo,
        name=fit_name(f"{program.title or 'server'}-{port}"),
        directory=program.subdir or "",
        policy=Policy(port=port),
        life=Life(State.LISTENING, ports=(port,)),
        started_at=owner.started_at if owner is not None else None,
        by_hand=True,
    )


def is_free(port: int) -> bool:
    """Whether a server can listen on a port of the loopback interface; blocking for a moment."""
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind((address, port))
        except PermissionError:
            return False
        except OSError as error:
            if error.errno == errno.EADDRINUSE:  # no IPv6 here is none in the way
                return False
    return True
