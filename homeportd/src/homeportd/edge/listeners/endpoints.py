"""The endpoints of tunnels: the sockets that visitors connect to, and for HTTP names their routes in Traefik."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from homeportd.connection_peers import ConnectionPeers
from homeportd.edge.listeners.sockets import PortInUse, bind
from homeportd.edge.listeners.tcp import TcpListener
from homeportd.edge.listeners.udp import UdpListener
from homeportd.edge.model import Refused, Reservation
from homeportd.edge.settings import EdgeSettings
from homeportd.edge.traefik.routes import Domain, Route, Routes
from homeportd.edge.tunnel import Tunnel
from homeportd.tunnels.protocol import Kind, Refusal

LOOPBACK = ("127.0.0.1",)
# A port that was given up stays bound so long: Traefik connects to it until it has read the new route, at most three
# seconds with its defaults, and must not reach another program.
RETIRED_S: Final = 5.0

_log = logging.getLogger(__name__)


class Endpoints:
    """Opens and closes the listeners of tunnels, writes and removes their routes.

    `domains` gives the host names that lead to a tunnel, by its id, besides its own. `traefik`: its connections, which
    alone are let through at HTTP names.
    """

    def __init__(
        self,
        settings: EdgeSettings,
        routes: Routes,
        domains: Callable[[str], Sequence[Domain]],
        traefik: ConnectionPeers,
    ) -> None:
        self._traefik = traefik
        self._settings = settings
        self._routes = routes
        self._domains = domains
        self._retired: dict[TcpListener, asyncio.TimerHandle] = {}

    def write_routes(self, tunnels: Iterable[Tunnel]) -> None:
        """Write the routes of the HTTP names that listen, and remove all others. Raises OSError."""
        self._routes.start(
            [self._route(t) for t in tunnels if t.reservation.kind is Kind.HTTP and t.listener]
        )

    async def listen(self, tunnel: Tunnel) -> None:
        """Give a tunnel its listener, unless it has one. Raises Refused."""
        if tunnel.listener is not None:
            return
        reservation, addresses = tunnel.reservation, self._settings.bind
        try:
            if reservation.kind is Kind.UDP:
                sockets = bind(addresses, reservation.port or 0, socket.SOCK_DGRAM)
                listener: TcpListener | UdpListener = UdpListener(tunnel, sockets)
            else:
                web = reservation.kind is Kind.HTTP
                sockets = bind(LOOPBACK if web else addresses, reservation.port or 0, socket.SOCK_STREAM)
                listener = TcpListener(tunnel, sockets, self._traefik if web else None)
        except PortInUse as error:
            raise Refused(
                Refusal.PORT_TAKEN,
                f"another program of the edge listens on {error}",
                "choose another port, or end that program",
            ) from None
        except OSError as error:
            raise _cannot_listen(reservation, error) from error
        try:
            await listener.start()
        except OSError as error:
            listener.close()
            raise _cannot_listen(reservation, error) from error
        tunnel.listener = listener

    async def move(self, tunnel: Tunnel) -> None:
        """Give an HTTP name another port, before stricter rules apply. Raises Refused.

        Traefik alone knows which visitor a request is from, and reads a route a moment after it was written: by the
        old route, which has the old rules, no visitor may reach the client any more.
        """
        before, tunnel.listener = tunnel.listener, None
        try:
            await self.listen(tunnel)
        except BaseException:
            tunnel.listener = before
            raise
        if isinstance(before, TcpListener):
            before.retire()
            self._retired[before] = asyncio.get_running_loop().call_later(RETIRED_S, self._forget, before)

    def close(self) -> None:
        """Close the ports that were given up."""
        for listener, timer in list(self._retired.items()):
            timer.cancel()
            self._forget(listener)

    def _forget(self, listener: TcpListener) -> None:
        del self._retired[listener]
        listener.close()
        listener.end()

    def close_tunnel(self, tunnel: Tunnel) -> None:
        """Close a tunnel, and remove its route."""
        tunnel.close()
        if tunnel.reservation.kind is Kind.HTTP:
            try:
                self._routes.remove(tunnel.id)
            except OSError as error:
                _log.error("the route of %s could not be removed: %s", tunnel.reservation.label, error)

    def write_route(self, tunnel: Tunnel) -> None:
        """Write the route of an HTTP name that listens. Raises Refused."""
        if tunnel.reservation.kind is not Kind.HTTP or tunnel.listener is None:
            return
        try:
            self._routes.write(self._route(tunnel))
        except (OSError, ValueError) as error:
            _log.error("the route of %s could not be written: %s", tunnel.reservation.label, error)
            raise Refused(
                Refusal.LIMIT, "the edge could not write the route of this name", "see the edge's log"
            ) from error

    def _route(self, tunnel: Tunnel) -> Route:
        reservation, edge = tunnel.reservation, self._settings
        assert reservation.name is not None  # noqa: S101 - an HTTP reservation has a name
        assert tunnel.listener is not None  # noqa: S101 - the callers see to it
        return Route(
            id=reservation.id,
            host=edge.host_of(reservation.name),
            origin=edge.url_of(reservation.name),
            upstream=f"{'h2c' if tunnel.options.http2 else 'http'}://127.0.0.1:{tunnel.listener.port}",
            edge=f"http://{edge.listen}",
            entry_point=edge.names_entry_point,
            tls=edge.scheme == "https",
            cert_resolver=edge.cert_resolver,
            allow=tunnel.rules.allow,
            rewrite_host=tunnel.options.host,
            passcode=tunnel.rules.passcode_hash is not None,
            domains=tuple(self._domains(reservation.id)),
            workstation=tunnel.workstation,
            subdomains=tunnel.rules.subdomains,
            wildcard_resolver=edge.wildcard_resolver,
        )


def _cannot_listen(reservation: Reservation, error: OSError) -> Refused:
    return Refused(
        Refusal.LIMIT,
        f"the edge cannot listen on {reservation.label}: {error.strerror}",
        "see the edge's log",
    )
