"""Questions to DNS: a zone's own name servers are asked, not a cache that may be an hour behind.

Which servers those are, the machine's resolver says. Where they cannot be reached it answers in their stead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import dns.asyncquery
import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver
from dns.rdatatype import RdataType

from homeportd.tunnels.address import is_local

TOTAL_S: Final = 6.0  # for all questions about one domain
QUESTION_S: Final = 1.5  # for one question to one server
MAX_ALIASES: Final = 8  # CNAME to CNAME
MAX_NAME_SERVERS: Final = 4
MAX_ADDRESSES: Final = 32
PORT: Final = 53
_LOOPBACK: Final = ("127.0.0.1", "::1")
_ERRORS: Final = (dns.exception.DNSException, OSError, EOFError)


class Unanswered(Exception):
    """No DNS server answered; the text names those that did not."""


@dataclass(frozen=True)
class Trace:
    """A domain followed through DNS: the names its CNAME records lead to, and the addresses at the end of them.

    `zone` holds the domain. `note`: whose answer it is, where that is not the zone's own servers'.
    """

    aliases: tuple[str, ...]
    addresses: tuple[str, ...]
    zone: str
    note: str | None = None


class Lookup:
    """Asks DNS. `server`: ADDRESS:PORT of a DNS server instead of the system's; name servers have that port too."""

    def __init__(self, server: str | None = None) -> None:
        self._server = server

    async def addresses(self, hosts: Iterable[str]) -> frozenset[str]:
        """The addresses of host names; names without an answer are left out."""
        found: set[str] = set()
        remote = []
        for host in dict.fromkeys(hosts):
            if is_local(host):
                found.update(_LOOPBACK)
            elif host.replace(".", "").isdigit() or ":" in host:
                found.add(host)
            else:
                remote.append(host)
        if remote:
            question = _Question(self._server)
            asked = [question.resolve(dns.name.from_text(h), t) for h in remote for t in _KINDS]
            try:
                async with asyncio.timeout(TOTAL_S):
                    answers = await asyncio.gather(*asked, return_exceptions=True)
            except TimeoutError:
                answers = []
            for answer in answers:
                if isinstance(answer, list):
                    found.update(answer)
        return frozenset(found)

    async def trace(self, domain: str, ends: Callable[[str], bool]) -> Trace:
        """Follow a domain, to addresses or to the first alias of which `ends` is true. Raises Unanswered."""
        question = _Question(self._server)
        name = dns.name.from_text(domain)
        aliases: list[str] = []
        try:
            async with asyncio.timeout(TOTAL_S):
                zone = await question.zone(name)
                while True:
                    four, six = await asyncio.gather(*(question.ask(name, kind) for kind in _KINDS))
                    alias = next((value for kind, value in (*four, *six) if kind == RdataType.CNAME), None)
                    if alias is None:
                        found = [value for kind, value in (*four, *six) if kind in _KINDS]
                        break
                    aliases.append(alias.rstrip(".").lower())
                    found = []
                    if ends(aliases[-1]):
                        break
                    if len(aliases) > MAX_ALIASES:
                        raise Unanswered(f"more than {MAX_ALIASES} CNAME records lead from one to the next")
                    name = dns.name.from_text(alias)
        except TimeoutError:
            raise Unanswered(f"no DNS answer about {domain} within {TOTAL_S:g} s") from None
        addresses = tuple(dict.fromkeys(found))[:MAX_ADDRESSES]
        return Trace(tuple(aliases), addresses, zone.to_text(omit_final_dot=True).lower(), question.note)

    async def issuers(self, domain: str) -> tuple[str, ...] | None:
        """The certificate authorities that the nearest CAA records allow; None: all, or no answer.

        https://www.rfc-editor.org/rfc/rfc8659#section-3
        """
        question = _Question(self._server)
        name = dns.name.from_text(domain)
        try:
            async with asyncio.timeout(TOTAL_S):
                while len(name.labels) > 1:
                    records = [
                        v for kind, v in await question.ask(name, RdataType.CAA) if kind == RdataType.CAA
                    ]
                    if records:
                        return _allowed(records)
                    name = name.parent()
        except (TimeoutError, Unanswered):
            pass  # the authority will look for itself
        return None


_KINDS: Final = (RdataType.A, RdataType.AAAA)
_Record = tuple[RdataType, str]


class _Question:
    """The queries about one domain; remembers the name servers that it has found."""

    def __init__(self, server: str | None) -> None:
        self.note: str | None = None
        self._zones: dict[dns.name.Name, asyncio.Task[tuple[dns.name.Name, list[str]]]] = {}
        self._port = PORT
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=server is None)
        except dns.exception.DNSException as error:
            raise Unanswered(f"this machine has no DNS resolver: {error}") from None
        if server is not None:
            host, _, port = server.rpartition(":")
            self._resolver.nameservers = [host.strip("[]")]
            self._resolver.port = self._port = int(port)
        self._resolver.lifetime = 2 * QUESTION_S
        self._resolver.timeout = QUESTION_S

    async def resolve(self, name: dns.name.Name, kind: RdataType) -> list[str]:
        """The resolver's answer, aliases followed. Raises what dnspython raises."""
        answer = await self._resolver.resolve(name, kind, raise_on_no_answer=False, search=False)
        return [item.to_text() for item in answer.rrset] if answer.rrset else []

    async def zone(self, name: dns.name.Name) -> dns.name.Name:
        """The zone that a name is in. Raises Unanswered."""
        return (await self._authority(name))[0]

    async def ask(self, name: dns.name.Name, kind: RdataType) -> list[_Record]:
        """The records at a name, a CNAME instead of what was asked for among them. Raises Unanswered."""
        zone, servers = await self._authority(name)
        for server in servers:
            query = dns.message.make_query(name, kind, flags=0)
            try:
                answer, _tcp = await dns.asyncquery.udp_with_fallback(
                    query, server, timeout=QUESTION_S, port=self._port
                )
            except _ERRORS:
                continue
            if answer.flags & dns.flags.AA and answer.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
                return _at(answer, name)
        return await self._instead(name, kind, zone)

    async def _instead(self, name: dns.name.Name, kind: RdataType, zone: dns.name.Name) -> list[_Record]:
        self.note = (
            f"the name servers of {zone.to_text(omit_final_dot=True)} did not answer; this is what the"
            " resolver knows, which may be older"
        )
        try:
            answer = await self._resolver.resolve(name, kind, raise_on_no_answer=False, search=False)
        except dns.resolver.NXDOMAIN:
            return []
        except _ERRORS as error:
            raise Unanswered(f"neither the name servers of {zone} nor the resolver answered") from error
        return _at(answer.response, name)

    async def _authority(self, name: dns.name.Name) -> tuple[dns.name.Name, list[str]]:
        task = self._zones.get(name)
        if task is None:
            task = self._zones[name] = asyncio.ensure_future(self._find_authority(name))
        return await asyncio.shield(task)

    async def _find_authority(self, name: dns.name.Name) -> tuple[dns.name.Name, list[str]]:
        try:
            try:
                zone = await dns.asyncresolver.zone_for_name(name, resolver=self._resolver)
            except dns.resolver.NoNameservers:
                # As resolvers answer for CNAME records that lead in a circle; the name above has none.
                zone = await dns.asyncresolver.zone_for_name(name.parent(), resolver=self._resolver)
            hosts = await self._resolver.resolve(zone, RdataType.NS, search=False)
        except _ERRORS as error:
            raise Unanswered(
                f"the DNS resolver did not say which zone holds {name.to_text(omit_final_dot=True)}"
            ) from error
        names = sorted(item.target for item in hosts)[:MAX_NAME_SERVERS]
        asked = [self.resolve(host, kind) for kind in _KINDS for host in names]
        found = await asyncio.gather(*asked, return_exceptions=True)
        servers = [address for answer in found if isinstance(answer, list) for address in answer]
        return zone, servers[: 2 * MAX_NAME_SERVERS]


def _at(answer: dns.message.Message, name: dns.name.Name) -> list[_Record]:
    return [(rrset.rdtype, item.to_text()) for rrset in answer.answer if rrset.name == name for item in rrset]


def _allowed(records: Iterable[str]) -> tuple[str, ...] | None:
    """`0 issue "letsencrypt.org; validationmethods=…"` → letsencrypt.org; None where no record says `issue`."""
    issuers = []
    for record in records:
        _flags, tag, value = record.split(" ", 2)
        if tag.lower() == "issue":
            issuers.append(value.strip('"').partition(";")[0].strip().lower())
    return tuple(issuers) if issuers else None
