"""The header of the PROXY protocol, which tells a TCP server whom a connection is from. No I/O.

Versions 1 (a line of text) and 2 (binary): https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from homeportd.networks import Address
from homeportd.tunnels.protocol import ProxyProtocol

SIGNATURE: Final = b"\r\n\r\n\0\r\nQUIT\n"
_PROXIED: Final = 0x21  # version 2, command PROXY
_TCP_OVER: Final = {4: 0x11, 6: 0x21}
_UNSPECIFIED: Final[dict[int, Address]] = {4: IPv4Address(0), 6: IPv6Address(0)}


def header(version: ProxyProtocol, visitor: tuple[Address, int], server: tuple[Address | None, int]) -> bytes:
    """The header of a connection from `visitor` to `server`, each an address and a port.

    The protocol wants both of one family: a server address of the other one, or none, becomes the unspecified address.
    """
    source, destination = _plain(visitor[0]), None if server[0] is None else _plain(server[0])
    if destination is None or destination.version != source.version:
        destination = _UNSPECIFIED[source.version]
    if version == "v1":
        line = f"PROXY TCP{source.version} {source} {destination} {visitor[1]} {server[1]}\r\n"
        return line.encode()
    addresses = source.packed + destination.packed + struct.pack("!HH", visitor[1], server[1])
    return SIGNATURE + struct.pack("!BBH", _PROXIED, _TCP_OVER[source.version], len(addresses)) + addresses


def _plain(address: Address) -> Address:
    """The address without a zone, and as IPv4 where IPv6 only carries one."""
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or IPv6Address(address.packed)
    return address
