"""The part of a workstation's assembly that runs dev servers: processes, ports, servers."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass

from fastapi import APIRouter

from homeportd.assembly.core import Core
from homeportd.origin import Origin
from homeportd.ports.service import Ports
from homeportd.processes.service import Processes
from homeportd.repos.service import Repos
from homeportd.servers import api as servers_api
from homeportd.servers.event_publisher import publish_servers
from homeportd.servers.install import Installs
from homeportd.servers.membership import Membership
from homeportd.servers.service import Servers
from homeportd.servers.store import ServerStore


@dataclass(frozen=True)
class ServerRooms:
    """The rooms, with ports that are scanned; `start` takes up the servers."""

    core: Core
    origin: Origin
    repos: Repos
    processes: Processes
    ports: Ports
    servers: Servers

    async def start(self, stack: AsyncExitStack) -> APIRouter:
        """Take up the servers, and return their routes. Raises sqlite3.Error."""
        publish_servers(self.core.events, self.servers, self.origin)
        await self.servers.start()
        stack.push_async_callback(self.servers.close)
        return servers_api.router(
            self.servers,
            Installs(self.servers, self.core.jobs),
            self.processes,
            self.repos,
            self.core.guard,
            self.origin,
        )


async def open_rooms(core: Core, repos: Repos, origin: Origin, stack: AsyncExitStack) -> ServerRooms:
    """The rooms, closed by `stack`. Raises OSError."""
    processes = Processes(core.settings.data_dir / "processes")
    await processes.open()
    stack.push_async_callback(processes.close)
    membership = Membership()
    ports = Ports(core.settings, repos, membership.server_of)
    servers = Servers(ServerStore(core.database), repos, ports, processes, core.settings, membership)
    await ports.start()
    stack.push_async_callback(ports.close)
    return ServerRooms(core, origin, repos, processes, ports, servers)
