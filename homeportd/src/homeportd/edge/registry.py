"""Every tunnel of this edge, by id and by what it is called."""

from __future__ import annotations

from collections.abc import Iterator

from homeportd.edge.tunnel import Tunnel
from homeportd.tunnels.protocol import Kind


class Registry:
    """Two indexes over the same tunnels."""

    def __init__(self) -> None:
        self._by_id: dict[str, Tunnel] = {}
        self._by_label: dict[tuple[Kind, str], Tunnel] = {}

    def __iter__(self) -> Iterator[Tunnel]:
        return iter(list(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, tunnel: Tunnel) -> None:
        """Put one in; its label is free."""
        self._by_id[tunnel.id] = tunnel
        self._by_label[tunnel.reservation.kind, tunnel.reservation.label] = tunnel

    def remove(self, tunnel: Tunnel) -> None:
        """Take one out."""
        del self._by_id[tunnel.id]
        del self._by_label[tunnel.reservation.kind, tunnel.reservation.label]

    def get(self, tunnel_id: str) -> Tunnel | None:
        """By id."""
        return self._by_id.get(tunnel_id)

    def called(self, kind: Kind, label: str) -> Tunnel | None:
        """By kind and name, or kind and port as text."""
        return self._by_label.get((kind, label))

    def ports(self, kind: Kind) -> set[int]:
        """The ports that are taken."""
        return {
            port for tunnel in self if tunnel.reservation.kind is kind and (port := tunnel.reservation.port)
        }
