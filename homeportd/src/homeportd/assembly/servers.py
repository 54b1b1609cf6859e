"""The part of a workstation's assembly that runs dev servers: processes, ports, servers."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from dataclasses import dataclass

from fastapi import APIRouter

from homeportd.accounts import own_name
from homeportd.assembly.core import Core
from homeportd.origin import Origin
from homeportd.ports.service import Ports
from homeportd.processes.service import Processes
from homeportd.repos.service import Repos
from homeportd.servers import api as servers_api
from homeportd.servers.event_publisher import publish_servers
from homeportd.servers.idle import SECTION, IdleStop, ServerPreferences
from homeportd.servers.install import Installs
from homeportd.servers.membership import Membership
from homeportd.servers.service import Servers
from homeportd.servers.store import ServerStore
from homeportd.shares.access import Access, AccessLog
from homeportd.shares.binding import Binding


@dataclass(frozen=True)
class ServerRooms:
    """The rooms, with ports that are scanned; `start` takes up the servers."""

    core: Core
    origin: Origin
    repos: Repos
    processes: Processes
    ports: Ports
    servers: Servers
    idle: IdleStop

    async def start(self, log: AccessLog, stack: AsyncExitStack) -> APIRouter:
        """Take up the servers, and return their routes. Raises sqlite3.Error."""

        def accessed(access: Access) -> None:
            if access.decision.allowed:
                self.idle.used(access.port)

        self.core.preferences.declare(SECTION, ServerPreferences)
        publish_servers(self.core.events, self.servers, self.origin)
        await self.servers.start()
        stack.push_async_callback(self.servers.close)
        log.appended.subscribe(accessed)
        self.idle.start()
        stack.push_async_callback(self.idle.close)
        return servers_api.router(
            self.servers,
            Installs(self.servers, self.core.jobs, self.processes),
            self.processes,
            self.repos,
            self.core.guard,
            self.origin,
        )

    def binding(self, port: int) -> Binding | None:
        """What a share of a port is made for on which nothing listens: the server that keeps the number."""
        server = self.servers.of_number(port)
        if server is None:
            return None
        repo = self.servers.repo_of(server)
        clone = str(repo.clone or repo.path) if repo is not None else None
        return Binding(os.getuid(), own_name(), clone, str(server.repo), server.id)


async def open_rooms(core: Core, repos: Repos, origin: Origin, stack: AsyncExitStack) -> ServerRooms:
    """The rooms, closed by `stack`. Raises OSError."""
    processes = Processes(core.settings.data_dir / "processes")
    await processes.open()
    stack.push_async_callback(processes.close)
    membership = Membership()
    membership.take_up(each for each in processes.all() if processes.running(each.id))
    ports = Ports(core.settings, repos, membership.server_of)
    servers = Servers(ServerStore(core.database), repos, ports, processes, core.settings, membership)
    await ports.start()
    stack.push_async_callback(ports.close)
    idle = IdleStop(servers, lambda: core.preferences.get(SECTION, ServerPreferences))
    return ServerRooms(core, origin, repos, processes, ports, servers, idle)
