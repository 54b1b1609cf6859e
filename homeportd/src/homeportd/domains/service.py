"""What can be done with domains: add, check, remove; and the watch over them that goes on by itself."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic

from homeportd import clock
from homeportd.domains import acme_log, dns_check, hosts, transitions
from homeportd.domains.lookup import Lookup, Unanswered
from homeportd.domains.model import Certificate, Failure, Mapping, Record, Sight, State, Trouble, Verdict
from homeportd.domains.probe import NoCertificate, probe
from homeportd.domains.store import DomainStore
from homeportd.domains.transitions import Pace
from homeportd.edge.model import Refused
from homeportd.edge.service import Tunnels
from homeportd.edge.traefik.routes import Domain
from homeportd.edge.tunnel import Tunnel
from homeportd.errors import Problem, invalid, not_found
from homeportd.settings import EdgeSettings
from homeportd.tunnels.protocol import Kind

MAX_DOMAINS = 1024
AT_ONCE = 8  # domains that are looked at together
ADDRESSES_S = 60.0  # how long the edge's own addresses are taken to be the same
ADDRESSES_AGAIN_S = 2.0  # and how long, that there are none
IDLE_S = 3600.0
SPREAD_S = 60.0  # over which the first looks after a start are spread

_log = logging.getLogger(__name__)

Changed = Callable[[Mapping | None, str], None]


class Domains:
    """All domains of this edge. `load`, then `start` once the tunnels listen."""

    def __init__(self, settings: EdgeSettings, store: DomainStore, lookup: Lookup, pace: Pace) -> None:
        self._settings = settings
        self._store = store
        self._lookup = lookup
        self._pace = pace
        self._tls = settings.scheme == "https"
        self._mappings: dict[str, Mapping] = {}
        self._due: dict[str, float] = {}
        self._looks: dict[str, tuple[State, int]] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._looking: dict[str, asyncio.Task[None]] = {}
        self._tunnels: Tunnels | None = None
        self._callbacks: list[Changed] = []
        self._addresses: tuple[float, frozenset[str]] = (0.0, frozenset())

    def on_change(self, callback: Changed) -> None:
        """Call back with (the domain's new state, or None when it was removed; its name)."""
        self._callbacks.append(callback)

    async def load(self) -> None:
        """Read what there is, so that routes can be written."""
        now = monotonic()
        for mapping in await self._store.all():
            self._mappings[mapping.domain] = mapping
            first = 0.0 if mapping.state is State.VERIFIED and self._tls else random.random() * SPREAD_S  # noqa: S311
            self._due[mapping.domain] = now + first

    def start(self, tunnels: Tunnels) -> None:
        """Begin to watch."""
        self._tunnels = tunnels
        tunnels.release_guards.append(self._refuse_release)
        self._task = asyncio.create_task(self._watch(), name="domains")

    async def close(self) -> None:
        """Stop watching."""
        tasks = [*self._looking.values(), *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # What others ask

    def routes_of(self, tunnel_id: str) -> Sequence[Domain]:
        """The host names that Traefik has to know for a tunnel."""
        resolver = self._settings.domain_resolver
        return [
            Domain(mapping.domain, resolver if mapping.asking else None)
            for mapping in self._mappings.values()
            if mapping.tunnel == tunnel_id and mapping.routed
        ]

    def leads_here(self, host: str) -> bool:
        """Whether a host name is a domain that Traefik has been told of, though it may not have read it yet."""
        mapping = self._mappings.get(host)
        return mapping is not None and mapping.routed

    def all(self) -> list[Mapping]:
        """Every domain, oldest first."""
        return list(self._mappings.values())

    def get(self, text: str) -> Mapping:
        """Raises Problem 404, 422."""
        domain = hosts.normalise(text)
        mapping = self._mappings.get(domain)
        if mapping is None:
            raise not_found(f"the domain {domain}", "homeport domains list shows those there are")
        return mapping

    def name_of(self, mapping: Mapping) -> str:
        """The name of the tunnel that a domain leads to."""
        tunnel = self._edge.registry.get(mapping.tunnel)
        return (tunnel.reservation.name if tunnel else None) or ""

    def records(self, mapping: Mapping) -> tuple[Record, ...]:
        """What to enter at the DNS provider, the best first."""
        target = self._settings.host_of(self.name_of(mapping))
        return hosts.records(mapping.domain, target, self._addresses[1], apex=mapping.apex)

    # What the owner does

    async def add(self, text: str, name: str) -> Mapping:
        """Map a domain to a reserved HTTP name, and look at it. Raises Problem 404, 409, 422."""
        domain = hosts.normalise(text)
        settings = self._settings
        hosts.refuse_own(domain, settings.base, (settings.host,))
        if self._tls and settings.domain_resolver is None:
            raise Problem(
                409,
                "this edge gets no certificates for other domains",
                "name Traefik's certificate resolver as domain_resolver in [edge] (docs/domains.md)",
            )
        async with self._edge.changing:  # the reservation does not go meanwhile
            tunnel = self._reserved(name)
            known = self._mappings.get(domain)
            if known is not None:
                raise Problem(
                    409,
                    f"{domain} leads to {self.name_of(known)} already",
                    f"homeport domains remove {domain}, then add it again",
                )
            if len(self._mappings) >= MAX_DOMAINS:
                raise Problem(409, f"this edge has {MAX_DOMAINS} domains", "remove some that are not used")
            tunnel.created_by = None  # its client does not take it back any more
            mapping = Mapping(domain, tunnel.id, clock.now(), apex=domain.count(".") == 1)
            self._mappings[domain] = mapping
            try:
                await self._store.save(mapping)
            except BaseException:
                del self._mappings[domain]
                raise
        await self._look_safely(domain)
        return self._mappings.get(domain, mapping)

    async def check(self, text: str) -> Mapping:
        """Look at a domain now; a refused certificate is asked for again. Raises Problem 404, 422."""
        domain = self.get(text).domain
        self._looks.pop(domain, None)  # whoever asks is at work on it: the next looks come soon again
        await self._look(domain, anew=True)
        return self.get(domain)

    async def remove(self, text: str) -> None:
        """Take a domain off its name. Raises Problem 404, 422."""
        mapping = self.get(text)
        domain = mapping.domain
        # Not behind a look, which waits for name servers: that finds it gone.
        for kept in (self._mappings, self._due, self._looks, self._locks):
            kept.pop(domain, None)
        try:
            await self._store.delete(domain)
        except BaseException:
            self._mappings[domain], self._due[domain] = mapping, monotonic()
            self._woken.set()
            raise
        self._route(mapping.tunnel)
        self._tell(None, domain)

    # Inside

    @property
    def _edge(self) -> Tunnels:
        assert self._tunnels is not None  # noqa: S101 - `start` comes before everything that asks for it
        return self._tunnels

    def _lock(self, domain: str) -> asyncio.Lock:
        return self._locks.setdefault(domain, asyncio.Lock())

    def _reserved(self, name: str) -> Tunnel:
        registry = self._edge.registry
        tunnel = registry.called(Kind.HTTP, name.lower())
        if tunnel is not None and tunnel.reservation.reserved:
            return tunnel
        for kind in (Kind.TCP, Kind.UDP):
            other = registry.called(kind, name)
            if other is not None and other.reservation.reserved:
                raise invalid(
                    f"{name} is a {kind.upper()} port, and domains lead to HTTP names",
                    "a DNS record to this edge is enough for a port; reserve a name for HTTP:"
                    " homeport reservations add http NAME",
                )
        raise not_found(
            f"the reservation {name}",
            f"homeport reservations add http {name}"
            if tunnel or name.isascii()
            else "homeport reservations list",
        )

    def _refuse_release(self, tunnel: Tunnel) -> None:
        mapped = [mapping.domain for mapping in self._mappings.values() if mapping.tunnel == tunnel.id]
        if mapped:
            raise Problem(
                409,
                f"{', '.join(mapped[:3])}{' and more' if mapped[3:] else ''} would lead nowhere without"
                f" {tunnel.reservation.label}",
                f"homeport domains remove {mapped[0]}, then remove the reservation",
            )

    async def _watch(self) -> None:
        while True:
            self._woken.clear()
            now = monotonic()
            for domain, due in list(self._due.items()):
                if due <= now and len(self._looking) < AT_ONCE and domain not in self._looking:
                    task = asyncio.create_task(self._look_safely(domain), name=f"domain {domain}")
                    self._looking[domain] = task
                    task.add_done_callback(partial(self._looked, domain))
            if len(self._looking) < AT_ONCE:
                waiting = [due for domain, due in self._due.items() if domain not in self._looking]
                pause = max(0.0, min(waiting, default=now + IDLE_S) - monotonic())
            else:
                pause = IDLE_S
            try:
                async with asyncio.timeout(pause):
                    await self._woken.wait()
            except TimeoutError:
                pass

    def _looked(self, domain: str, _task: asyncio.Task[None]) -> None:
        self._looking.pop(domain, None)
        self._woken.set()

    async def _look_safely(self, domain: str) -> None:
        try:
            await self._look(domain)
        except Exception:
            _log.exception("%s could not be looked at", domain)
            self._due[domain] = monotonic() + self._pace.pending_most
            self._woken.set()

    async def _look(self, domain: str, *, anew: bool = False) -> None:
        async with self._lock(domain):
            before = self._mappings.get(domain)
            if before is None:
                self._due.pop(domain, None)
                return
            looked = before
            # While Traefik is at it, DNS need not be asked each second.
            if anew or not (before.state is State.VERIFIED and before.asking):
                sight = await self._sight(before)
                looked = transitions.seen(before, sight, clock.now(), tls=self._tls, anew=anew)
            kept = await self._keep(before, looked)
            if kept is not None and self._tls and kept.asking:
                now = clock.now()
                certificate, why = await self._certificate(domain)
                failure = await self._failure(kept)
                kept = await self._keep(
                    kept, transitions.probed(kept, certificate, why, failure, now, self._pace)
                )
            if kept is not None:
                self._plan(kept)

    def _plan(self, mapping: Mapping) -> None:
        state, looks = self._looks.get(mapping.domain, (mapping.state, -1))
        looks = looks + 1 if state is mapping.state else 0
        self._looks[mapping.domain] = (mapping.state, looks)
        chance = random.random()  # noqa: S311
        wait = transitions.next_look(mapping, looks, clock.now(), self._pace, tls=self._tls, chance=chance)
        self._due[mapping.domain] = monotonic() + wait
        self._woken.set()

    async def _keep(self, before: Mapping, after: Mapping) -> Mapping | None:
        """What holds from now on; None when the domain was removed meanwhile."""
        if self._mappings.get(after.domain) is not before:
            return None
        if after == before:
            return before
        await self._store.save(after)
        if self._mappings.get(after.domain) is not before:
            return None  # and its row was deleted after that
        self._mappings[after.domain] = after
        if (before.routed, before.asking) != (after.routed, after.asking):
            self._route(after.tunnel)
        if (before.state, before.error, before.certificate, before.found) != (
            after.state,
            after.error,
            after.certificate,
            after.found,
        ):
            self._tell(after, after.domain)
        return after

    def _route(self, tunnel_id: str) -> None:
        try:
            self._edge.refresh_route(tunnel_id)
        except Refused as refusal:
            _log.error("a domain's route: %s", refusal)

    def _tell(self, mapping: Mapping | None, domain: str) -> None:
        for callback in self._callbacks:
            callback(mapping, domain)

    async def _own_addresses(self, name: str) -> frozenset[str]:
        until, known = self._addresses
        if monotonic() < until:
            return known
        settings = self._settings
        found = await self._lookup.addresses((settings.host_of(name), settings.base, settings.host))
        kept = ADDRESSES_S if found else ADDRESSES_AGAIN_S
        # What was known is better than nothing.
        self._addresses = (monotonic() + kept, found or known)
        return self._addresses[1]

    async def _sight(self, mapping: Mapping) -> Sight:
        name, domain, base = self.name_of(mapping), mapping.domain, self._settings.base
        target = self._settings.host_of(name)
        try:
            addresses, trace = await asyncio.gather(
                self._own_addresses(name),
                self._lookup.trace(domain, lambda alias: alias == base or alias.endswith(f".{base}")),
            )
            sight = dns_check.judge(domain, trace, target, base, addresses)
            if sight.verdict is Verdict.HERE and self._tls:
                issuers = await self._lookup.issuers(domain)
                sight = dns_check.forbid(sight, domain, issuers, self._settings.acme_caa)
        except Unanswered as error:
            trouble = Trouble(
                str(error),
                "see that the edge can ask DNS servers (port 53) and that the domain is registered",
            )
            return Sight(Verdict.UNKNOWN, note=str(error), trouble=trouble)
        return sight

    async def _certificate(self, domain: str) -> tuple[Certificate | None, str]:
        try:
            return await probe(self._settings.probe, domain, self._settings.acme_ca), ""
        except NoCertificate as error:
            return None, str(error)

    async def _failure(self, mapping: Mapping) -> Failure | None:
        log, since = self._settings.log, mapping.asked_at
        if log is None or since is None:
            return None
        try:
            return await asyncio.to_thread(acme_log.last_failure, log, mapping.domain, since)
        except OSError as error:
            _log.warning("the log of Traefik cannot be read: %s", error)
            return None
