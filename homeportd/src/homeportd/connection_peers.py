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

from homeportd.sock_diag import TCP_LISTEN, SocketQuestions

MAX_TABLE = 32 * 1024 * 1024  # bytes of /proc/net/tcp that are read

# inet_diag_msg: family, state, -, -, its inet_diag_sockid with two ports, -, -, -, -, expires, queues, uid, inode
_ANSWER = struct.Struct("=BBxx2s2s16x16x4x8x4x4x4xII")

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
        self._questions = SocketQuestions()
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
        self._questions.close()

    def _user_of(self, near: tuple[object, ...], far: tuple[object, ...]) -> int | None:
        """The user of the socket at `near` that is connected with `far`; None when no process has such a socket."""
        ends = [(str(each[0]), int(str(each[1]))) for each in (near, far)]
        try:
            answer = self._questions.ask(*ends)
            return None if answer is None else _user(answer, [port for _, port in ends])
        except OSError:
            with suppress(OSError):
                return _from_table(ends)
        return None


def _user(answer: bytes, ports: list[int]) -> int | None:
    """The user in an answer of the kernel. Raises OSError where it is cut off."""
    if len(answer) < _ANSWER.size:
        raise OSError(errno.EBADMSG, "a netlink message is cut off")
    _, state, near, far, uid, inode = _ANSWER.unpack_from(answer)
    # One that no process holds any more has the user 0, and no inode.
    said = [int.from_bytes(port, "big") for port in (near, far)]
    return int(uid) if inode and state != TCP_LISTEN and said == ports else None


def _from_table(ends: list[tuple[str, int]]) -> int | None:
    """The same from /proc/net/tcp, whose columns proc_pid_net(5) names. Raises OSError."""
    family = socket.AF_INET6 if ":" in ends[0][0] else socket.AF_INET
    wanted = [_written(socket.inet_pton(family, host), port) for host, port in ends]
    with Path(f"/proc/net/{_IN[family]}").open() as table:
        for line in table.read(MAX_TABLE).splitlines()[1:]:
            fields = line.split()
            if fields[1:3] == wanted and fields[9] != "0":
                return int(fields[7])
    return None


def _written(address: bytes, port: int) -> str:
    words = struct.unpack(f"={len(address) // 4}I", address)
    return "".join(f"{word:08X}" for word in words) + f":{port:04X}"


def forbidden(fix: str) -> bytes:
    """The answer to a program of another user, as HTTP/1.1."""
    body = f"error: this port is for Homeport's Traefik alone\nfix: {fix}\n".encode()
    head = f"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + body
