"""The metrics of an edge in the format of Prometheus. https://prometheus.io/docs/instrumenting/exposition_formats/"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from homeportd import clock
from homeportd.edge.model import Reservation
from homeportd.edge.traffic.stats import Stats

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_COUNTERS = (
    ("bytes_in", "homeport_tunnel_received_bytes_total", "Bytes from visitors"),
    ("bytes_out", "homeport_tunnel_sent_bytes_total", "Bytes to visitors"),
    ("connections", "homeport_tunnel_connections_total", "Connections, or UDP visitors, begun"),
    ("requests", "homeport_tunnel_requests_total", "HTTP requests"),
    ("refused", "homeport_tunnel_refused_total", "Visitors turned away"),
    (
        "datagrams_in",
        "homeport_tunnel_received_datagrams_total",
        "Datagrams from visitors that were passed on",
    ),
    ("datagrams_out", "homeport_tunnel_sent_datagrams_total", "Datagrams to visitors that were passed on"),
    ("dropped", "homeport_tunnel_dropped_datagrams_total", "Datagrams dropped"),
)


class Measured(Protocol):
    """A tunnel, as far as its metrics need it."""

    reservation: Reservation
    stats: Stats

    @property
    def live(self) -> bool:
        """Whether a client holds the tunnel."""


def exposition(tunnels: Iterable[Measured], links: int, clients: int) -> str:
    """The text of all metrics."""
    return "\n".join([*_lines(list(tunnels), links, clients), ""])


def _lines(tunnels: list[Measured], links: int, clients: int) -> Iterator[str]:
    yield from _single("homeport_edge_clients", "Clients that are connected", clients)
    yield from _single("homeport_edge_links", "Connections of clients", links)
    labels = {tunnel.reservation.id: _labels(tunnel) for tunnel in tunnels}
    for field, name, text in _COUNTERS:
        yield f"# HELP {name} {text}."
        yield f"# TYPE {name} counter"
        for tunnel in tunnels:
            yield f"{name}{labels[tunnel.reservation.id]} {getattr(tunnel.stats.total, field)}"
    now = clock.now()
    gauges: tuple[tuple[str, str, Callable[[Measured], float]], ...] = (
        ("homeport_tunnel_up", "Whether a client holds it", lambda t: int(t.live)),
        ("homeport_tunnel_open_connections", "Connections at this moment", lambda t: t.stats.open),
        (
            "homeport_tunnel_last_byte_timestamp_seconds",
            "When the last byte moved",
            lambda t: moved_at.timestamp() if (moved_at := t.stats.last_byte_at(now)) else 0,
        ),
    )
    for name, text, value in gauges:
        yield f"# HELP {name} {text}."
        yield f"# TYPE {name} gauge"
        for tunnel in tunnels:
            yield f"{name}{labels[tunnel.reservation.id]} {value(tunnel)}"


def _single(name: str, text: str, value: int) -> Iterator[str]:
    yield f"# HELP {name} {text}."
    yield f"# TYPE {name} gauge"
    yield f"{name} {value}"


def _labels(tunnel: Measured) -> str:
    # Names and ports hold nothing that needs escaping.
    return f'{{id="{tunnel.reservation.id}",kind="{tunnel.reservation.kind}",label="{tunnel.reservation.label}"}}'
