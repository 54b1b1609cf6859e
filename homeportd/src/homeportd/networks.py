"""Networks of allowlists, as people write them, and which addresses are in them; and the client behind an address."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from homeportd.errors import HomeportError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

MAX_NETWORKS: Final = 64  # of one allowlist


class NetworkError(HomeportError, ValueError):
    """A text is no network, or there are too many."""


def parse_network(text: str) -> Network:
    """The network that `text` names: `203.0.113.7` (/32), `10.0.0.0/8`, `2001:db8::/32`.

    Host bits are taken for zero: `10.0.0.7/8` is 10.0.0.0/8. Blanks around are dropped. An interface
    (`fe80::1%eth0`) is refused, since Traefik would drop the whole route that has it. Raises NetworkError.
    """
    try:
        if "%" in text:
            raise ValueError
        return ip_network(text.strip(), strict=False)
    except ValueError:
        why = ": it names an interface" if "%" in text else ""
        raise NetworkError(
            f"{text[:64]!r} is not a network{why}",
            "write an address or a CIDR, such as 203.0.113.7, 10.0.0.0/8 or 2001:db8::/32",
        ) from None


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """The networks of an allowlist, each once, in order. Raises NetworkError, for more than MAX_NETWORKS too."""
    texts = tuple(texts)
    if len(texts) > MAX_NETWORKS:
        raise NetworkError(
            f"more than {MAX_NETWORKS} networks", "join neighbouring ones into larger networks"
        )
    return tuple(dict.fromkeys(map(parse_network, texts)))


def within(address: Address, networks: Iterable[Network]) -> bool:
    """Whether an address lies in one of the networks; an IPv4-mapped IPv6 address counts as its IPv4 one."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return any((mapped or address) in network for network in networks)


def client_key(address: Address) -> str:
    """The key of a client: its IPv4 address, or its IPv6 /64, since one client has all of that."""
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else str(ip_network((address, 64), strict=False))
    return str(address)


@lru_cache(maxsize=4096)
def client_key_of(text: str) -> str:
    """The key of the client at an address as a proxy says it; empty where it says none."""
    try:
        return client_key(ip_address(text.partition("%")[0]))
    except ValueError:
        return ""
