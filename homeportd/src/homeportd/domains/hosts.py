"""Names of domains: which may be mapped, and the DNS records that they need. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final

import idna

from homeportd.domains.model import Record
from homeportd.errors import Problem, invalid

MAX_TEXT: Final = 253  # characters of a name, RFC 1035 §2.3.4
# Names that no public DNS server may answer for (RFC 6761, 6762, 7686).
_NOWHERE: Final = ("localhost", "local", "invalid", "onion", "internal")
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_EXAMPLE: Final = "write the name alone, such as app.example.org"


def normalise(text: str) -> str:
    """The domain as DNS writes it: lower case, punycode, no dot at the end. Raises Problem 422."""
    text = text.strip()
    if "://" in text or "/" in text or ":" in text or "@" in text:
        raise invalid(f"{text!r} is an address, not a domain", _EXAMPLE)
    if text.startswith("*"):
        raise invalid(f"{text!r} stands for many domains", "add each domain by its name")
    text = text.removesuffix(".")
    if not text or len(text) > MAX_TEXT:
        raise invalid(f"{text[:64]!r} is no domain", _EXAMPLE)
    if _is_address(text):
        raise invalid(f"{text} is an address, not a domain", _EXAMPLE)
    try:
        # Digits and letters of every script, mapped as browsers do it (UTS 46).
        name = (
            idna.encode(text, uts46=True, transitional=False).decode() if not text.isascii() else text.lower()
        )
        for label in name.split("."):
            if label.startswith("xn--"):
                idna.decode(label)
    except (idna.IDNAError, UnicodeError) as error:
        raise invalid(f"{text!r} is no domain: {error}", _EXAMPLE) from None
    labels = name.split(".")
    wrong = next((label for label in labels if not _LABEL.fullmatch(label)), None)
    if wrong is not None or len(name) > MAX_TEXT:
        raise invalid(
            f"{text!r} is no domain: {wrong!r} is not made of letters, digits and hyphens"
            if wrong
            else f"{text!r} is no domain: a part of it is empty",
            _EXAMPLE,
        )
    if len(labels) < 2 or labels[-1].isdigit():
        raise invalid(f"{text!r} is no domain of the public DNS", _EXAMPLE)
    if labels[-1] in _NOWHERE:
        raise invalid(
            f"{text!r} is no domain of the public DNS: .{labels[-1]} is for private use",
            "use a domain you own",
        )
    return name


def refuse_own(domain: str, base: str, hosts: Iterable[str]) -> None:
    """Refuse what belongs to the edge itself. Raises Problem 422."""
    if domain == base or domain.endswith(f".{base}"):
        name = domain.removesuffix(f".{base}")
        fix = (
            f"homeport reservations add http {name}"
            if name != domain and "." not in name
            else "use another domain"
        )
        raise invalid(f"{domain} is one of this edge's own names", fix)
    if domain in hosts:
        raise Problem(422, f"{domain} is the edge itself", "use another domain, or one below it")


def records(domain: str, target: str, addresses: Iterable[str], *, apex: bool) -> tuple[Record, ...]:
    """The DNS records of a domain: the one to make first, then those that would do as well.

    A zone's apex has SOA and NS records, beside which there can be no CNAME (RFC 1912 §2.4).
    """
    alias = Record(f"{domain}.", "CNAME", f"{target}.")
    direct = tuple(
        Record(f"{domain}.", "AAAA" if ":" in address else "A", address)
        for address in sorted(addresses, key=lambda text: (":" in text, text))
    )
    # Some providers take a CNAME at the apex and answer with what it leads to.
    return (*direct, alias) if apex else (alias, *direct)


def _is_address(text: str) -> bool:
    try:
        ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True
