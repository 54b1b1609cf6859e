"""The publisher of an edge's events: tunnels that change, connections of visitors, rates."""

from __future__ import annotations

from time import monotonic
from typing import Final

from homeportd.edge import names
from homeportd.edge.service import Tunnels
from homeportd.edge.settings import EdgeSettings
from homeportd.edge.traffic.connection_log import ConnectionLog, LoggedConnection
from homeportd.edge.tunnel import Tunnel
from homeportd.edge.view import EVENTS, connection_log_row, rates_view, tunnel_view
from homeportd.events import Events
from homeportd.token_bucket import TokenBucket

RATES_S: Final = 2.0  # between two events of rates
# Connections and requests that are shown as they happen: a watcher that lags behind 256 events is cut off. All are in
# the log.
SHOWN_BURST: Final = 50
SHOWN_PER_S: Final = 25.0


class TunnelPublisher:
    """Subscribes to tunnels and their connection log at once."""

    def __init__(self, events: Events, tunnels: Tunnels, log: ConnectionLog, settings: EdgeSettings) -> None:
        self._events = events
        self._tunnels = tunnels
        self._settings = settings
        self._shown = TokenBucket(SHOWN_BURST, SHOWN_PER_S)
        self._rates: dict[str, int] = {}  # a hash of what each tunnel showed last
        events.declare(EVENTS)
        tunnels.changed.subscribe(self._tunnel_changed)
        log.appended.subscribe(self.show_connection)

    def _tunnel_changed(self, kind: str, tunnel: Tunnel) -> None:
        if kind == "closed":
            self._events.publish("tunnel.closed", {"id": tunnel.id})
        else:
            view = tunnel_view(tunnel, names.address(tunnel.reservation, self._settings))
            self._events.publish(f"tunnel.{kind}", view.model_dump())

    def show_connection(self, connection: LoggedConnection) -> None:
        """Show a row of the connection log, unless there are too many."""
        if self._events.watched and self._shown.take(monotonic()):
            self._events.show(
                "tunnel.visit", {"tunnel": connection.tunnel, **connection_log_row(connection).model_dump()}
            )

    def show_rates(self) -> None:
        """Show the rates of the tunnels whose rates have changed: a thousand idle tunnels cost nothing."""
        if not self._events.watched:
            self._rates.clear()
            return
        views = {tunnel.id: rates_view(tunnel) for tunnel in self._tunnels.registry}
        rates = {id_: hash(view.model_dump_json(exclude={"round_trip_ms"})) for id_, view in views.items()}
        changed = [view.model_dump() for id_, view in views.items() if self._rates.get(id_) != rates[id_]]
        self._rates = rates
        if changed:
            self._events.show("tunnel.rates", {"tunnels": changed})
