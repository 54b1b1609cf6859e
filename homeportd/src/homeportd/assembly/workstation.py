"""The assembly of a workstation: its dev servers, their shares, the gateway and the relay."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from homeportd.assembly.activity import open_activity
from homeportd.assembly.core import Core
from homeportd.assembly.editor import IDLE_S, open_editor
from homeportd.assembly.model import Assembly, Sweep
from homeportd.assembly.repos import open_repos
from homeportd.assembly.servers import open_rooms
from homeportd.assembly.terminals import open_terminals
from homeportd.event_publisher import EventPublisher
from homeportd.gateway import api as gateway_api
from homeportd.gateway.app import Gateway
from homeportd.gateway.fast_path import FastPathProtocol
from homeportd.gateway.own_names import REFRESH_S, NamesFile
from homeportd.http_server import UnixServer
from homeportd.ports import api as ports_api
from homeportd.ports.bindings import Bindings
from homeportd.ports.coverage import refusal
from homeportd.ports.history import PortHistory
from homeportd.ports.model import Program
from homeportd.ports.owner_reader.client import TreeReader
from homeportd.ports.protocols import Protocols
from homeportd.ports.target import binding_of, target
from homeportd.preferences import api as preferences_api
from homeportd.relay.service import Relay
from homeportd.repos.service import Repos
from homeportd.shares import api as shares_api
from homeportd.shares import subdomains
from homeportd.shares.access import AccessLog
from homeportd.shares.binding import Binding
from homeportd.shares.model import Mode
from homeportd.shares.service import Shares
from homeportd.shares.store import ShareStore
from homeportd.system.model import Counts
from homeportd.uvicorn_config import uvicorn_config

SWEEP_S: Final = 0.5  # how late an expired share may end what it opened
HISTORY_S: Final = 300.0  # how late what an unclean end of the agent cuts off may be written
DIRTY_S: Final = 10.0  # between two looks for uncommitted changes, while a dashboard shows them


@asynccontextmanager
async def open(core: Core) -> AsyncIterator[Assembly]:
    """The rooms of a workstation. Raises OSError."""
    settings, origin = core.settings, core.settings.origins
    assert origin is not None  # noqa: S101 - a workstation has one

    async def listening(port: int) -> Binding | None:
        """What a share of a port would be made for now."""
        found = ports.get(port)
        if found is None or not found.programs[0].settled:
            await ports.look_again()
            found = ports.get(port)
        settled = found is not None and found.programs[0].settled
        if found is None:
            return running.binding(port)
        return binding_of(found.programs[0]) if settled else None

    def led_to(port: int) -> Program | None:
        found = ports.get(port)
        return target(found, shares.get(port), owner=True) if found is not None else None

    async with AsyncExitStack() as stack:
        shares = Shares(
            ShareStore(core.database),
            core.passwords,
            core.endings,
            refusal=lambda port: refusal(port, settings, edge=settings.edge is not None),
            binding=listening,
            subdomain_refusal=lambda port: subdomains.refusal(origin, port),
        )
        await shares.load()
        log = AccessLog(core.database)
        log.start()
        stack.push_async_callback(log.close)
        reader = settings.owner_reader
        repos = Repos(settings, TreeReader(reader) if reader is not None else None)
        await repos.start()
        stack.push_async_callback(repos.close)
        running = await open_rooms(core, repos, origin, stack)
        ports = running.ports
        repo_routers = await open_repos(core, repos, ports.repos_of_ports, stack)
        terminals = await open_terminals(core, repos, running.processes, stack)
        port_history = PortHistory(core.database, ports)
        await port_history.start()
        stack.push_async_callback(port_history.close)
        bindings = Bindings(ports, shares)
        bindings.start()
        stack.push_async_callback(bindings.close)
        activity_routes = await open_activity(core, running, shares, stack)
        server_routes = await running.start(log, stack)
        publisher = EventPublisher(core.events, ports, shares, repos, log, origin)
        editor, editor_router = await open_editor(core, running.processes, ports, repos, stack)
        protocols = Protocols()
        relay = Relay(ports, shares, core.auth, protocols, settings.socket("editor"))
        await relay.start(settings.socket("relay"))
        stack.push_async_callback(relay.close)
        names = NamesFile(settings.socket_dir / "names")
        names.refresh()
        gateway = Gateway(
            origin,
            ports,
            shares,
            core.auth,
            log,
            core.key,
            protocols,
            admin_allow=settings.admin_networks,
            at_edge=settings.edge_name is not None,
            wake=running.idle.wake,
            editor=editor,
        )

        def counts() -> Counts:
            shared = sum(share.mode is not Mode.PRIVATE for share in shares.all())
            return Counts(ports=len(ports.snapshot()), shared=shared, repos=len(repos.all()))

        yield Assembly(
            routers=(
                shares_api.router(shares, log, core.guard, origin),
                ports_api.router(ports, port_history, shares, bindings, core.guard, origin),
                *repo_routers,
                server_routes,
                activity_routes,
                editor_router,
                preferences_api.router(core.preferences, core.guard),
                *terminals.routers,
                gateway_api.router(led_to, core.guard, origin),
            ),
            sweeps=(
                *((Sweep("idle editor", IDLE_S, editor.stop_if_idle),) if editor is not None else ()),
                Sweep("expired shares", SWEEP_S, shares.sweep),
                Sweep("names of this machine", REFRESH_S, names.refresh),
                *terminals.sweeps,
                Sweep("history of ports", HISTORY_S, port_history.write),
                Sweep("uncommitted changes", DIRTY_S, publisher.refresh_dirty),
            ),
            counts=counts,
            listeners=lambda _web: (
                UnixServer(
                    settings.socket("gateway"),
                    0o660,
                    uvicorn_config(gateway, FastPathProtocol, part=1 / 4, websockets=False),
                ),
            ),
        )
