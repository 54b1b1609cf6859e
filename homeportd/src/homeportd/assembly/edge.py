"""The assembly of an edge: tunnels, and the domains that lead to them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from homeportd.assembly.core import Core
from homeportd.assembly.model import Assembly, Sweep
from homeportd.connection_peers import ConnectionPeers
from homeportd.domains import api as domains_api
from homeportd.domains.lookup import Lookup
from homeportd.domains.mappings import Mappings
from homeportd.domains.model import Mapping
from homeportd.domains.service import Domains
from homeportd.domains.store import DomainStore
from homeportd.domains.transitions import CheckIntervals
from homeportd.domains.view import EVENTS as DOMAIN_EVENTS
from homeportd.domains.view import domain_view
from homeportd.edge import api as edge_api
from homeportd.edge.connection_handler import ConnectionHandler
from homeportd.edge.connections.links import Links
from homeportd.edge.event_publisher import RATES_S, TunnelPublisher
from homeportd.edge.listeners.client import ALPN, ClientListener
from homeportd.edge.listeners.endpoints import Endpoints
from homeportd.edge.passcodes import Passcodes
from homeportd.edge.service import Tunnels
from homeportd.edge.settings import EdgeSettings
from homeportd.edge.store import ReservationStore
from homeportd.edge.traefik import agent_down
from homeportd.edge.traefik.access_log import AccessLogReader
from homeportd.edge.traefik.agent_down import AgentDown
from homeportd.edge.traefik.routes import Routes
from homeportd.edge.traffic.connection_log import ConnectionLog
from homeportd.edge.traffic.rollups import Rollups
from homeportd.edge.web import EdgeWeb, HttpProtocols
from homeportd.tunnels.limits import give_back, keep_memory, raise_descriptors

SWEEP_S: Final = 1.0  # how late a tunnel without a client may be removed
GIVE_BACK_S: Final = 30.0  # between two times that freed memory is given back
INTERVALS: Final = CheckIntervals()  # of domains


@asynccontextmanager
async def open(core: Core) -> AsyncIterator[Assembly]:
    """The rooms of an edge. Tunnels of before listen at once; clients come by the listener. Raises OSError."""
    settings = core.settings.edge
    assert settings is not None  # noqa: S101 - an edge has them
    raise_descriptors()
    keep_memory()
    async with AsyncExitStack() as stack:
        log = ConnectionLog(core.database)
        log.start()
        stack.push_async_callback(log.close)
        passcodes = Passcodes(core.passwords, core.key, secure=settings.scheme == "https")
        mappings = await Mappings.load(DomainStore(core.database), settings.domain_resolver)
        traefik = ConnectionPeers(settings.traefik_user)
        stack.callback(traefik.close)
        endpoints = Endpoints(settings, Routes(settings.routes_dir), mappings.routes_of, traefik)
        links = Links(settings, core.auth)
        store = ReservationStore(core.database, core.endings)
        tunnels = Tunnels(settings, store, core.auth, passcodes, endpoints, log)
        stack.push_async_callback(tunnels.close)
        stack.push_async_callback(links.close)
        await tunnels.start()
        rollups = Rollups(core.database, lambda: tunnels.registry)
        await rollups.recall()
        rollups.start()
        stack.push_async_callback(rollups.close)
        publisher = TunnelPublisher(core.events, tunnels, log, settings)
        if settings.access_log is not None:
            reader = AccessLogReader(settings.access_log, log, tunnels.registry, publisher.show_connection)
            reader.start()
            stack.push_async_callback(reader.close)
        domains = Domains(settings, mappings, Lookup(settings.dns_server), INTERVALS, tunnels)

        def publish_domain(mapping: Mapping | None, domain: str) -> None:
            if mapping is None:
                core.events.publish("domain.removed", {"domain": domain})
            else:
                core.events.publish("domain.changed", domain_view(mapping, domains, settings).model_dump())

        core.events.declare(DOMAIN_EVENTS)
        domains.changed.subscribe(publish_domain)
        domains.start()
        stack.push_async_callback(domains.close)
        handler = ConnectionHandler(links, tunnels)
        yield Assembly(
            routers=(
                edge_api.router(settings, tunnels, links, log, rollups, core.auth, core.guard),
                domains_api.router(domains, settings, core.guard),
            ),
            sweeps=(
                Sweep("tunnels without a client", SWEEP_S, tunnels.sweep),
                Sweep("freed memory", GIVE_BACK_S, give_back),
                Sweep("rates of tunnels", RATES_S, publisher.show_rates),
            ),
            listeners=lambda web: (
                _EdgeListener(
                    settings,
                    handler,
                    EdgeWeb(settings, tunnels.registry, passcodes, web, mappings.tunnel_of),
                    traefik,
                ),
            ),
        )


class _EdgeListener:
    """The listener for clients and for Traefik."""

    def __init__(
        self, settings: EdgeSettings, handler: ConnectionHandler, web: EdgeWeb, traefik: ConnectionPeers
    ) -> None:
        self._settings = settings
        self._http = HttpProtocols(web)
        self._clients = ClientListener(handler.serve, self._http, traefik, settings.url_of("admin"))
        self._down = AgentDown(
            settings.routes_dir, settings.names_entry_point, tls=settings.scheme == "https"
        )

    async def open(self) -> None:
        """Begin to accept connections. Raises OSError, ssl.SSLError."""
        if self._settings.tls_listen is not None:
            await self._clients.listen_tls(self._settings.tls_listen, _tls(self._settings))
        await self._clients.listen(self._settings.listen)
        await asyncio.to_thread(self._down.agent_is_up)

    def stop(self) -> None:
        """Have Traefik send nobody any more."""
        self._down.agent_goes()

    async def close(self) -> None:
        """Accept no more once Traefik knows, end every link, and wait until every HTTP connection has ended."""
        await asyncio.sleep(agent_down.READ_S)
        self._clients.stop()
        self._http.stop()
        await self._clients.close()
        await self._http.close()
        await asyncio.to_thread(self._down.close)


def _tls(settings: EdgeSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    assert settings.tls_cert is not None  # noqa: S101 - the settings say that the three belong together
    context.load_cert_chain(settings.tls_cert, settings.tls_key)
    context.set_alpn_protocols([ALPN])
    return context
