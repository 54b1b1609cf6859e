"""The domains of this edge, in memory and on disk, and the routes that Traefik has for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from homeportd.domains.model import Mapping
from homeportd.domains.store import DomainStore
from homeportd.edge.traefik.routes import Domain


class Mappings:
    """Every mapping, by its domain, oldest first. What is here is on disk, or is being written."""

    def __init__(self, store: DomainStore, resolver: str | None) -> None:
        self._store = store
        self._resolver = resolver  # Traefik's certificate resolver for domains
        self._by_domain: dict[str, Mapping] = {}

    @classmethod
    async def load(cls, store: DomainStore, resolver: str | None) -> Mappings:
        """The mappings on disk."""
        mappings = cls(store, resolver)
        mappings._by_domain = {mapping.domain: mapping for mapping in await store.all()}
        return mappings

    def __iter__(self) -> Iterator[Mapping]:
        return iter(list(self._by_domain.values()))

    def __len__(self) -> int:
        return len(self._by_domain)

    def get(self, domain: str) -> Mapping | None:
        """The mapping of a domain in DNS form."""
        return self._by_domain.get(domain)

    def of_tunnel(self, tunnel_id: str) -> list[Mapping]:
        """The mappings that lead to a tunnel."""
        return [mapping for mapping in self if mapping.tunnel == tunnel_id]

    def routes_of(self, tunnel_id: str) -> Sequence[Domain]:
        """The host names that Traefik has to know for a tunnel."""
        return [
            Domain(mapping.domain, self._resolver if mapping.asking else None)
            for mapping in self.of_tunnel(tunnel_id)
            if mapping.routed
        ]

    def tunnel_of(self, host: str) -> str | None:
        """The id of the tunnel that a host name leads to; None for one that is no domain with a route."""
        mapping = self._by_domain.get(host)
        return mapping.tunnel if mapping is not None and mapping.routed else None

    async def add(self, mapping: Mapping) -> None:
        """Keep a new mapping. Raises sqlite3.Error; then it is not kept."""
        self._by_domain[mapping.domain] = mapping
        try:
            await self._store.save(mapping)
        except BaseException:
            del self._by_domain[mapping.domain]
            raise

    async def replace(self, before: Mapping, after: Mapping) -> bool:
        """Keep `after` instead of `before`; False when that was removed or replaced meanwhile. Raises sqlite3.Error."""
        if self._by_domain.get(before.domain) is not before:
            return False
        if after == before:
            return True
        await self._store.save(after)
        if self._by_domain.get(before.domain) is not before:
            return False  # and its row was deleted after that
        self._by_domain[after.domain] = after
        return True

    async def remove(self, mapping: Mapping) -> None:
        """Forget a mapping. Raises sqlite3.Error; then it is kept."""
        del self._by_domain[mapping.domain]
        try:
            await self._store.delete(mapping.domain)
        except BaseException:
            self._by_domain[mapping.domain] = mapping
            raise
