"""The user at the other end of a TCP connection within this machine, by sock_diag(7), or else from /proc.

The kernel is asked for one socket, which takes some ten microseconds. An address proves nothing on a machine with
several users: any of them can connect from 127.0.0.1.
"""

from __future__ import annotations

import errno
import os
import pwd
import socket
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

SOCK_DIAG_BY_FAMILY = 20  # linux/sock_diag.h
NETLINK_SOCK_DIAG = 4  # linux/netlink.h
NLMSG_ERROR = 2
NLM_F_REQUEST = 1
TCP_LISTEN = 10  # net/tcp_states.h
ALL_STATES = 0xFFFFFFFF
ANSWER_SIZE = 8 * 1024  # bytes
MAX_TABLE = 32 * 1024 * 1024  # bytes of /proc/net/tcp that are read

_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port id
# inet_diag_req_v2: family, protocol, extensions, padding, states; inet_diag_sockid: ports, addresses, interface, cookie
_REQUEST = struct.Struct("=BBBxI2s2s16s16sI8s")
_NO_COOKIE = b"\xff" * 8
# inet_diag_msg: family, state, -, -, the same inet_diag_sockid, expires, queues, uid, inode
_ANSWER = struct.Struct("=BBxx2s2s16s16s4x8x4x4x4xII")

_IN: Final = {socket.AF_INET: "tcp", socket.AF_INET6: "tcp6"}


class Connection(Protocol):
    """What is asked of a transport."""

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Its `peername` and `sockname`."""


class ConnectionPeers:
    """Admits connections of one user's programs: those of `user`; None is this process's own user.

    Raises OSError where there is no such user. On a system that cannot say who connects (not Linux) all are admitted.
    """

    def __init__(self, user: str | None) -> None:
        try:
            self._uid = os.getuid() if user is None else pwd.getpwnam(user).pw_uid
        except KeyError:
            raise OSError(errno.EINVAL, f"no user is called {user}") from None
        self._netlink: socket.socket | None = None
        self._can_ask = hasattr(socket, "AF_NETLINK")

    def admits(self, connection: Connection) -> bool:
        """Whether the peer is that user's; False when it has gone. Called in the loop: it does not wait."""
        if not self._can_ask:
            return True
        peer, own = connection.get_extra_info("peername"), connection.get_extra_info("sockname")
        if not isinstance(peer, tuple) or not isinstance(own, tuple):
            return False
        return self._user_of(peer, own) == self._uid

    def close(self) -> None:
        """Give the netlink socket back."""
        if self._netlink is not None:
            self._netlink.close()
            self._netlink = None

    def _user_of(self, near: tuple[object, ...], far: tuple[object, ...]) -> int | None:
        """The user of the socket at `near` that is connected with `far`; None when no process has such a socket."""
        family = socket.AF_INET6 if ":" in str(near[0]) else socket.AF_INET
        addresses = [socket.inet_pton(family, str(each[0])) for each in (near, far)]
        ports = [int(str(each[1])).to_bytes(2, "big") for each in (near, far)]
        try:
            return self._ask(family, ports, addresses)
        except OSError as error:
            self.close()
            if error.errno == errno.ENOENT:
                return None
        with suppress(OSError):
            return _from_table(family, ports, addresses)
        return None

    def _ask(self, family: int, ports: list[bytes], addresses: list[bytes]) -> int | None:
        if self._netlink is None:
            self._netlink = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_SOCK_DIAG
            )
            self._netlink.setblocking(False)  # the answer is there when the question has been sent
        padded = [address.ljust(16, b"\0") for address in addresses]
        request = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, ALL_STATES, *ports, *padded, 0, _NO_COOKIE)
        header = _HEADER.pack(_HEADER.size + len(request), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 1, 0)
        self._netlink.sendto(header + request, (0, 0))
        while True:
            answer, (sender, _) = self._netlink.recvfrom(ANSWER_SIZE)
            if sender == 0:  # any process may write to a netlink socket; the kernel has port id 0
                return _user(answer, ports)


def _user(answer: bytes, ports: list[bytes]) -> int | None:
    """The user in an answer of the kernel. Raises OSError for an error in it."""
    if len(answer) < _HEADER.size + 4:
        raise OSError(errno.EBADMSG, "a netlink message is cut off")
    _, kind, _, _, _ = _HEADER.unpack_from(answer)
    if kind == NLMSG_ERROR:
        code = -struct.unpack_from("=i", answer, _HEADER.size)[0]
        raise OSError(code, os.strerror(code))
    if len(answer) < _HEADER.size + _ANSWER.size:
        raise OSError(errno.EBADMSG, "a netlink message is cut off")
    _, state, near, far, _, _, uid, inode = _ANSWER.unpack_from(answer, _HEADER.size)
    # One that no process holds any more has the user 0, and no inode.
    return int(uid) if inode and state != TCP_LISTEN and [near, far] == ports else None


def _from_table(family: int, ports: list[bytes], addresses: list[bytes]) -> int | None:
    """The same from /proc/net/tcp, whose columns proc_pid_net(5) names. Raises OSError."""
    wanted = [_written(address, port) for address, port in zip(addresses, ports, strict=True)]
    with Path(f"/proc/net/{_IN[socket.AddressFamily(family)]}").open() as table:
        for line in table.read(MAX_TABLE).splitlines()[1:]:
            fields = line.split()
            if fields[1:3] == wanted and fields[9] != "0":
                return int(fields[7])
    return None


def _written(address: bytes, port: bytes) -> str:
    words = struct.unpack(f"={len(address) // 4}I", address)
    return "".join(f"{word:08X}" for word in words) + ":" + port.hex().upper()


def forbidden(fix: str) -> bytes:
    """The answer to a program of another user, as HTTP/1.1."""
    body = f"error: this port is for Homeport's Traefik alone\nfix: {fix}\n".encode()
    head = f"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + body
