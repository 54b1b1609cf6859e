"""The listening socket that a connection to an address would reach now, asked of the kernel by netlink `sock_diag`.

A scan is up to a second old when it is used; between it and a connection, another program may have taken the number.
One question for one socket (`SOCK_DIAG_BY_FAMILY` without `NLM_F_DUMP`, sock_diag(7)) costs about 10 us.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from typing import Final

from homeportd.ports.netlink import (
    NETLINK_SOCK_DIAG,
    NLM_F_REQUEST,
    NLMSG_ERROR,
    SOCK_DIAG_BY_FAMILY,
    NetlinkError,
    listener,
    messages,
)

FRESH_S: Final = 0.01  # for which an answer is good, so that a busy port costs no question a request
MAX_KEPT: Final = 256  # answers
TIME_OUT_S: Final = 0.1  # the kernel writes the answer while we ask

_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBBI")  # inet_diag_req_v2, before its inet_diag_sockid
_ERROR = struct.Struct("=i")
_PORTS = struct.Struct("!HH")
_REST = struct.Struct("=III")  # interface, and a cookie that says: whatever its cookie is
_NO_COOKIE = 0xFFFFFFFF
_ALL_STATES = 0xFFFFFFFF


class SocketLookup:
    """Questions to the kernel about one socket each. For one thread."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._sequence = 0
        self._answers: dict[tuple[str, int], tuple[float, int | None]] = {}

    def inode(self, address: tuple[str, int], *, fresh: bool = False) -> int | None:
        """The inode of the socket that listens for connections to (IP address, port); None where none does.

        The answer may be FRESH_S old, unless it is to be `fresh`. Raises OSError when the kernel refuses.
        """
        now = time.monotonic()
        known = self._answers.get(address)
        if known is not None and not fresh and now < known[0]:
            return known[1]
        found = self._ask(*address)
        if len(self._answers) >= MAX_KEPT:
            self._answers.clear()
        self._answers[address] = now + FRESH_S, found
        return found

    def close(self) -> None:
        """Give the descriptor back; the next question opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _ask(self, host: str, port: int) -> int | None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        packed = socket.inet_pton(family, host).ljust(16, b"\0")
        # From port 0 no connection comes, so that only a listener can be meant.
        sockid = _PORTS.pack(port, 0) + packed + packed + _REST.pack(0, _NO_COOKIE, _NO_COOKIE)
        request = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, _ALL_STATES) + sockid
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        head = _HEADER.pack(
            _HEADER.size + len(request), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, self._sequence, 0
        )
        try:
            opened = self._open()
            opened.sendto(head + request, (0, 0))
            return self._read(opened)
        except OSError:
            self.close()  # what is left of an answer goes with its socket
            raise

    def _read(self, opened: socket.socket) -> int | None:
        while True:
            data, sender = opened.recvfrom(4096)
            if sender[0] != 0:
                continue  # any process may write to a netlink socket; only port id 0 is the kernel
            if len(data) < _HEADER.size or _HEADER.unpack_from(data)[3] != self._sequence:
                raise NetlinkError(errno.EBADMSG, "an answer to another question")
            kind, _, payload = next(messages(data))
            if kind == SOCK_DIAG_BY_FAMILY:
                found = listener(payload)
                return found.inode if found is not None else None
            code = -_ERROR.unpack_from(payload)[0] if kind == NLMSG_ERROR else errno.EBADMSG
            if code == errno.ENOENT:
                return None
            raise NetlinkError(code, f"sock_diag: {os.strerror(code)}")

    def _open(self) -> socket.socket:
        if self._socket is None:
            family = getattr(socket, "AF_NETLINK", None)
            if family is None:
                raise NetlinkError(errno.EAFNOSUPPORT, "this system has no netlink")
            self._socket = socket.socket(family, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG)
            self._socket.settimeout(TIME_OUT_S)
        return self._socket
