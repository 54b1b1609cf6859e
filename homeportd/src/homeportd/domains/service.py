"""The domains of this edge: add, check and remove them; each is checked again and again by itself."""

from __future__ import annotations

import asyncio
import logging
import random
from time import monotonic

from homeportd import clock
from homeportd.domains import acme_log, dns_check, hosts, transitions
from homeportd.domains.lookup import Lookup, Unanswered
from homeportd.domains.mappings import Mappings
from homeportd.domains.model import (
    Certificate,
    Destination,
    DnsResult,
    Failure,
    Mapping,
    Record,
    State,
    Trouble,
)
from homeportd.domains.probe import NoCertificate, probe
from homeportd.domains.settings import DomainsSettings
from homeportd.domains.transitions import CheckIntervals
from homeportd.edge.model import Refused
from homeportd.edge.service import Tunnels
from homeportd.edge.tunnel import Tunnel
from homeportd.errors import Problem, invalid, not_found
from homeportd.signal import Signal
from homeportd.tasks import TaskSet
from homeportd.tunnels.protocol import Kind

MAX_DOMAINS = 1024
AT_ONCE = 8  # domains that are checked at the same time
ADDRESSES_S = 60.0  # how long the edge's own addresses are remembered
ADDRESSES_AGAIN_S = 2.0  # and how long, that there are none
IDLE_S = 3600.0
SPREAD_S = 60.0  # the first checks after a start come within so long

_log = logging.getLogger(__name__)


class Domains:
    """Adds, checks and removes domains; checks each of them when it is due, between `start` and `close`."""

    def __init__(
        self,
        settings: DomainsSettings,
        mappings: Mappings,
        lookup: Lookup,
        intervals: CheckIntervals,
        tunnels: Tunnels,
    ) -> None:
        # The domain's new state, None when it was removed; its name.
        self.changed: Signal[[Mapping | None, str]] = Signal()
        self._settings = settings
        self._mappings = mappings
        self._lookup = lookup
        self._intervals = intervals
        self._tunnels = tunnels
        self._tls = settings.scheme == "https"
        self._due: dict[str, float] = {}  # when a domain is checked next, monotonic
        self._checks: dict[str, tuple[State, int]] = {}  # how often a domain was checked in its present state
        self._locks: dict[str, asyncio.Lock] = {}
        self._woken = asyncio.Event()
        self._tasks = TaskSet()
        self._checking: set[str] = set()
        self._addresses: tuple[float, frozenset[str]] = (0.0, frozenset())
        tunnels.on_release(self._refuse_release)

    def start(self) -> None:
        """Begin to check the domains, for the first time spread over SPREAD_S."""
        now = monotonic()
        for mapping in self._mappings:
            first = 0.0 if mapping.state is State.VERIFIED and self._tls else random.random() * SPREAD_S  # noqa: S311
            self._due[mapping.domain] = now + first
        self._tasks.spawn(self._watch(), "domains")

    async def close(self) -> None:
        """Check no more."""
        await self._tasks.close()

    # For the API

    def all(self) -> list[Mapping]:
        """Every domain, oldest first."""
        return list(self._mappings)

    def get(self, text: str) -> Mapping:
        """The mapping of a domain as a person writes it. Raises Problem 404, 422."""
        domain = hosts.normalise(text)
        mapping = self._mappings.get(domain)
        if mapping is None:
            raise not_found(f"the domain {domain}", "homeport domains list shows those there are")
        return mapping

    def name_of(self, mapping: Mapping) -> str:
        """The name of the tunnel that a domain leads to."""
        tunnel = self._tunnels.registry.get(mapping.tunnel)
        return (tunnel.reservation.name if tunnel else None) or ""

    def records(self, mapping: Mapping) -> tuple[Record, ...]:
        """The DNS records to make at the provider, the best first."""
        target = self._settings.host_of(self.name_of(mapping))
        return hosts.records(mapping.domain, target, self._addresses[1], apex=mapping.apex)

    async def add(self, text: str, name: str) -> Mapping:
        """Map a domain to a reserved HTTP name, and check it. Raises Problem 404, 409, 422."""
        domain = hosts.normalise(text)
        settings = self._settings
        hosts.refuse_own(domain, settings.base, (settings.host,))
        if self._tls and settings.domain_resolver is None:
            raise Problem(
                409,
                "this edge gets no certificates for other domains",
                "name Traefik's certificate resolver as domain_resolver in [edge] (docs/domains.md)",
            )
        async with self._tunnels.hold():  # the reservation does not go meanwhile
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
            self._tunnels.keep(tunnel)
            mapping = Mapping(domain, tunnel.id, clock.now(), apex=domain.count(".") == 1)
            await self._mappings.add(mapping)
        await self._check_safely(domain)
        return self._mappings.get(domain) or mapping

    async def check(self, text: str) -> Mapping:
        """Check a domain now; a refused certificate is asked for again. Raises Problem 404, 422."""
        domain = self.get(text).domain
        self._checks.pop(domain, None)  # a person is at work on it: the next checks come soon again
        await self._check(domain, anew=True)
        return self.get(domain)

    async def remove(self, text: str) -> None:
        """Take a domain off its name. Raises Problem 404, 422."""
        mapping = self.get(text)
        domain = mapping.domain
        # Not behind a check, which waits for name servers: that finds the domain gone.
        for kept in (self._due, self._checks, self._locks):
            kept.pop(domain, None)
        try:
            await self._mappings.remove(mapping)
        except BaseException:
            self._due[domain] = monotonic()
            self._woken.set()
            raise
        self._route(mapping.tunnel)
        self.changed.emit(None, domain)

    # Inside

    def _lock(self, domain: str) -> asyncio.Lock:
        return self._locks.setdefault(domain, asyncio.Lock())

    def _reserved(self, name: str) -> Tunnel:
        registry = self._tunnels.registry
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
        mapped = [mapping.domain for mapping in self._mappings.of_tunnel(tunnel.id)]
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
                if due <= now and len(self._checking) < AT_ONCE and domain not in self._checking:
                    self._checking.add(domain)
                    self._tasks.spawn(self._check_safely(domain), f"domain {domain}")
            if len(self._checking) < AT_ONCE:
                waiting = [due for domain, due in self._due.items() if domain not in self._checking]
                pause = max(0.0, min(waiting, default=now + IDLE_S) - monotonic())
            else:
                pause = IDLE_S
            try:
                async with asyncio.timeout(pause):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def _check_safely(self, domain: str) -> None:
        try:
            await self._check(domain)
        except Exception:
            _log.exception("%s could not be checked", domain)
            self._due[domain] = monotonic() + self._intervals.pending_most
        finally:
            self._checking.discard(domain)
            self._woken.set()

    async def _check(self, domain: str, *, anew: bool = False) -> None:
        async with self._lock(domain):
            before = self._mappings.get(domain)
            if before is None:
                self._due.pop(domain, None)
                return
            checked = before
            # While Traefik asks for the certificate, DNS need not be asked each second.
            if anew or not (before.state is State.VERIFIED and before.asking):
                result = await self._check_dns(before)
                checked = transitions.after_dns(before, result, clock.now(), tls=self._tls, anew=anew)
            kept = await self._keep(before, checked)
            if kept is not None and self._tls and kept.asking:
                now = clock.now()
                certificate, why = await self._certificate(domain)
                failure = await self._failure(kept)
                kept = await self._keep(
                    kept, transitions.after_probe(kept, certificate, why, failure, now, self._intervals)
                )
            if kept is not None:
                self._plan(kept)

    def _plan(self, mapping: Mapping) -> None:
        state, checks = self._checks.get(mapping.domain, (mapping.state, -1))
        checks = checks + 1 if state is mapping.state else 0
        self._checks[mapping.domain] = (mapping.state, checks)
        chance = random.random()  # noqa: S311
        wait = transitions.next_check_s(
            mapping, checks, clock.now(), self._intervals, tls=self._tls, chance=chance
        )
        self._due[mapping.domain] = monotonic() + wait
        self._woken.set()

    async def _keep(self, before: Mapping, after: Mapping) -> Mapping | None:
        """The mapping that holds from now on; None when the domain was removed meanwhile."""
        if not await self._mappings.replace(before, after):
            return None
        if after == before:
            return before
        if (before.routed, before.asking) != (after.routed, after.asking):
            self._route(after.tunnel)
        if (before.state, before.error, before.certificate, before.found) != (
            after.state,
            after.error,
            after.certificate,
            after.found,
        ):
            self.changed.emit(after, after.domain)
        return after

    def _route(self, tunnel_id: str) -> None:
        try:
            self._tunnels.refresh_route(tunnel_id)
        except Refused as refusal:
            _log.error("a domain's route: %s", refusal)

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

    async def _check_dns(self, mapping: Mapping) -> DnsResult:
        name, domain, base = self.name_of(mapping), mapping.domain, self._settings.base
        target = self._settings.host_of(name)
        try:
            addresses, trace = await asyncio.gather(
                self._own_addresses(name),
                self._lookup.trace(domain, lambda alias: alias == base or alias.endswith(f".{base}")),
            )
            result = dns_check.check(domain, trace, target, base, addresses)
            if result.destination is Destination.HERE and self._tls:
                issuers = await self._lookup.issuers(domain)
                result = dns_check.apply_caa(result, domain, issuers, self._settings.acme_caa)
        except Unanswered as error:
            trouble = Trouble(
                str(error),
                "see that the edge can ask DNS servers (port 53) and that the domain is registered",
            )
            return DnsResult(Destination.UNKNOWN, note=str(error), trouble=trouble)
        return result

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
