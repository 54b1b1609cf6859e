"""Sockets for one port on all addresses of an edge."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final

IP_PKTINFO: Final = 8  # Linux, <linux/in.h>; not in Python's socket module
UDP_BUFFER: Final = 4 * 1024 * 1024  # bytes asked of the kernel, which gives net.core.{r,w}mem_max at most

_ABSENT = frozenset((errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL))


class PortInUse(Exception):
    """Another program listens on the address and port that the text names."""


def bind(addresses: Sequence[str], port: int, kind: socket.SocketKind) -> list[socket.socket]:
    """Bound sockets, one for each address; `port` 0: the kernel chooses, for a single address.

    An address family that this machine lacks is left out. Raises PortInUse, and OSError when nothing could be bound.
    """
    bound: list[socket.socket] = []
    last: OSError | None = None
    try:
        for address in addresses:
            version = ip_address(address).version
            try:
                sock = socket.socket(
                    socket.AF_INET6 if version == 6 else socket.AF_INET, kind | socket.SOCK_CLOEXEC
                )
            except OSError as error:
                last = error
                continue
            bound.append(sock)
            _prepare(sock, kind, version)
            try:
                sock.bind((address, port))
            except OSError as error:
                bound.pop().close()
                if error.errno == errno.EADDRINUSE:
                    raise PortInUse(f"{address} port {port}") from None
                if error.errno not in _ABSENT:
                    raise
                last = error
    except BaseException:
        for sock in bound:
            sock.close()
        raise
    if not bound:
        raise last or OSError(errno.EADDRNOTAVAIL, "no address to bind")
    return bound


def _prepare(sock: socket.socket, kind: socket.SocketKind, version: int) -> None:
    sock.setblocking(False)
    if version == 6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if kind is socket.SOCK_STREAM:
        # Without it, connections of a moment ago keep the port.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UDP_BUFFER)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UDP_BUFFER)
    # Each datagram says at which address of this machine it came.
    if version == 6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
