"""The registry of an edge: every tunnel, live or not, by its id and by its label."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from homeportd.edge import names
from homeportd.edge.settings import EdgeSettings
from homeportd.edge.tunnel import Tunnel
from homeportd.tunnels.protocol import Kind


class Registry:
    """Two indexes of the same tunnels. Iterating is safe while tunnels come and go."""

    def __init__(self) -> None:
        self._by_id: dict[str, Tunnel] = {}
        self._by_label: dict[tuple[Kind, str], Tunnel] = {}

    def __iter__(self) -> Iterator[Tunnel]:
        return iter(list(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, tunnel: Tunnel) -> None:
        """Add a tunnel, whose label must be free."""
        self._by_id[tunnel.id] = tunnel
        self._by_label[tunnel.reservation.kind, tunnel.reservation.label] = tunnel

    def remove(self, tunnel: Tunnel) -> None:
        """Remove a tunnel. Raises KeyError."""
        del self._by_id[tunnel.id]
        del self._by_label[tunnel.reservation.kind, tunnel.reservation.label]

    def get(self, tunnel_id: str) -> Tunnel | None:
        """The tunnel with this id."""
        return self._by_id.get(tunnel_id)

    def called(self, kind: Kind, label: str) -> Tunnel | None:
        """The tunnel with this name, or this port as text."""
        return self._by_label.get((kind, label))

    def choose(self, kind: Kind, label: str | None, settings: EdgeSettings) -> tuple[str | None, int | None]:
        """(Name, port) of a new tunnel, one of which is None: what `label` says, or else a free one. Raises Refused."""
        if kind is Kind.HTTP:
            return label or names.choose_name(secrets.randbelow, self._has_name), None
        if label:
            return None, int(label)
        return None, names.choose_port(secrets.randbelow, settings.span(kind), self.ports(kind), kind)

    def _has_name(self, name: str) -> bool:
        return self.called(Kind.HTTP, name) is not None

    def ports(self, kind: Kind) -> set[int]:
        """The ports of a kind that are taken."""
        return {
            port for tunnel in self if tunnel.reservation.kind is kind and (port := tunnel.reservation.port)
        }
