"""The check of a domain's DNS answers against this edge. Pure."""

from __future__ import annotations

from collections.abc import Collection

from homeportd.domains.lookup import Trace
from homeportd.domains.model import Destination, DnsResult, Trouble


def check(domain: str, trace: Trace, target: str, base: str, addresses: Collection[str]) -> DnsResult:
    """Whether a domain leads to this edge: by an alias among its names, or to its addresses alone.

    `target`: what the record should lead to; `addresses`: the edge's own.
    """
    found = (*(f"CNAME {alias}." for alias in trace.aliases), *(_address(text) for text in trace.addresses))
    apex = trace.zone == domain
    last = trace.aliases[-1] if trace.aliases else domain
    if last != domain and (last == base or last.endswith(f".{base}")):
        return DnsResult(Destination.HERE, found, trace.note, apex=apex)
    here = [address for address in trace.addresses if address in addresses]
    strangers = [address for address in trace.addresses if address not in addresses]
    if here and not strangers:
        return DnsResult(Destination.HERE, found, trace.note, apex=apex)
    make = f"make {_wanted(domain, target, addresses, apex=apex)}"
    if not trace.addresses and trace.aliases:
        trouble = Trouble(f"{domain} leads to {last}, which has no address", f"{make} instead")
    elif not trace.addresses:
        trouble = Trouble(f"{domain} has no DNS record yet", make)
    elif not addresses:
        trouble = Trouble(
            f"{domain} leads to {_list(trace.addresses)}, and this edge's own addresses cannot be found",
            f"see that {base} has an A record, or {make}",
        )
    elif here:
        # Visitors, and the certificate authority, take either.
        trouble = Trouble(
            f"{domain} leads to this edge, and also to {_list(strangers)}",
            f"remove the record of {_list(strangers)}",
        )
    else:
        trouble = Trouble(f"{domain} leads to {_list(strangers)}, not to this edge", f"{make} instead")
    return DnsResult(Destination.ELSEWHERE, found, trace.note, trouble, apex)


def apply_caa(result: DnsResult, domain: str, issuers: Collection[str] | None, authority: str) -> DnsResult:
    """The result, with CAA records that keep the certificate authority `authority` away; `issuers` None: no records."""
    if issuers is None or authority in issuers:
        return result
    named = _list([issuer for issuer in issuers if issuer]) or "nobody"
    trouble = Trouble(
        f"the CAA records of {domain} let {named} issue certificates, not {authority}",
        f'add the record: {domain}. CAA 0 issue "{authority}"',
    )
    return DnsResult(Destination.FORBIDDEN, result.found, result.note, trouble, result.apex)


def _wanted(domain: str, target: str, addresses: Collection[str], *, apex: bool) -> str:
    if apex and addresses:
        return f"the records {domain}. {' and '.join(_address(text) for text in sorted(addresses))}"
    return f"the record {domain}. CNAME {target}."


def _address(text: str) -> str:
    return f"{'AAAA' if ':' in text else 'A'} {text}"


def _list(texts: Collection[str]) -> str:
    return ", ".join(texts)
