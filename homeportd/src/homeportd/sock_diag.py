"""The kernel's word on TCP sockets of this network namespace, by netlink `sock_diag`, and the question for one.

Requests and answers are those of sock_diag(7) and netlink(7). A question for one socket costs some ten microseconds.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from typing import Final

NETLINK_SOCK_DIAG = 4  # linux/netlink.h
SOCK_DIAG_BY_FAMILY = 20  # linux/sock_diag.h
NLMSG_ERROR = 2
NLM_F_REQUEST = 0x01
TCP_LISTEN = 10  # net/tcp_states.h

ANSWER_SIZE: Final = 8 * 1024  # bytes of an answer about one socket

HEADER: Final = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port id
ERROR: Final = struct.Struct("=i")
# inet_diag_req_v2: family, protocol, extensions, padding, states; its inet_diag_sockid: ports, addresses, interface,
# and a cookie that says: whatever its cookie is
_REQUEST: Final = struct.Struct("=BBxxI2s2s16s16s4x8s")
_ALL_STATES: Final = 0xFFFFFFFF
_NO_COOKIE: Final = b"\xff" * 8


class NetlinkError(OSError):
    """The kernel refused or its answer made no sense."""


def open_socket() -> socket.socket:
    """A netlink socket for sock_diag. Raises OSError."""
    family = getattr(socket, "AF_NETLINK", None)
    if family is None:
        raise NetlinkError(errno.EAFNOSUPPORT, "this system has no netlink")
    return socket.socket(family, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG)


def messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Split one datagram into (type, flags, payload); raises NetlinkError when lengths do not add up."""
    offset, size = 0, len(data)
    while offset < size:
        if size - offset < HEADER.size:
            raise NetlinkError(errno.EBADMSG, "a netlink message is cut off in its header")
        length, kind, flags, _, _ = HEADER.unpack_from(data, offset)
        if length < HEADER.size or length > size - offset:
            raise NetlinkError(errno.EBADMSG, f"a netlink message claims {length} bytes of {size - offset}")
        yield kind, flags, data[offset + HEADER.size : offset + length]
        offset += (length + 3) & ~3


class SocketQuestions:
    """Questions about one socket each, over a netlink socket that is kept open. For one thread."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._sequence = 0

    def ask(self, near: tuple[str, int], far: tuple[str, int]) -> bytes | None:
        """The `inet_diag_msg` of the socket at `near` that is connected with `far`; None where there is none.

        A listener has port 0 as its far one: the one that a connection to `near` would reach. Does not wait: the kernel
        writes the answer while it is asked. Raises OSError when it refuses.
        """
        family = socket.AF_INET6 if ":" in near[0] else socket.AF_INET
        ports = [port.to_bytes(2, "big") for _, port in (near, far)]
        addresses = [socket.inet_pton(family, host).ljust(16, b"\0") for host, _ in (near, far)]
        request = _REQUEST.pack(family, socket.IPPROTO_TCP, _ALL_STATES, *ports, *addresses, _NO_COOKIE)
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        head = HEADER.pack(HEADER.size + len(request), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, self._sequence, 0)
        try:
            if self._socket is None:
                self._socket = open_socket()
                self._socket.setblocking(False)
            self._socket.sendto(head + request, (0, 0))
            return self._read(self._socket)
        except OSError:
            self.close()  # what is left of an answer goes with its socket
            raise

    def close(self) -> None:
        """Give the descriptor back; the next question opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _read(self, opened: socket.socket) -> bytes | None:
        while True:
            data, sender = opened.recvfrom(ANSWER_SIZE)
            if sender[0] != 0:
                continue  # any process may write to a netlink socket; only port id 0 is the kernel
            if len(data) < HEADER.size or HEADER.unpack_from(data)[3] != self._sequence:
                raise NetlinkError(errno.EBADMSG, "an answer to another question")
            kind, _, payload = next(messages(data))
            if kind == SOCK_DIAG_BY_FAMILY:
                return payload
            if kind != NLMSG_ERROR or len(payload) < ERROR.size:
                raise NetlinkError(errno.EBADMSG, "sock_diag: neither a socket nor an error")
            code = -ERROR.unpack_from(payload)[0]
            if code == errno.ENOENT:
                return None
            raise NetlinkError(code, f"sock_diag: {os.strerror(code)}")
