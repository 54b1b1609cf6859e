"""Listening TCP sockets, as the kernel lists them by netlink `sock_diag`.

The request and the answer are those of sock_diag(7) and netlink(7): `SOCK_DIAG_BY_FAMILY` with an
`inet_diag_req_v2`, dumped for one address family, answered by `inet_diag_msg` records. The kernel filters by
state, so established connections cost nothing, and it sees the sockets of this network namespace alone.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from dataclasses import dataclass

from homeportd.sock_diag import (
    ERROR,
    HEADER,
    NLM_F_REQUEST,
    NLMSG_ERROR,
    SOCK_DIAG_BY_FAMILY,
    TCP_LISTEN,
    NetlinkError,
    messages,
    open_socket,
)

NLMSG_DONE, NLMSG_OVERRUN = 3, 4  # linux/netlink.h
NLM_F_DUMP_INTR, NLM_F_DUMP = 0x10, 0x300
INET_DIAG_SKV6ONLY = 11  # linux/inet_diag.h

RECEIVE_SIZE = 64 * 1024  # bytes; the kernel fills at most 32 KiB at a time
MAX_ANSWER = 32 * 1024 * 1024  # bytes of one dump: some 250,000 sockets
TIME_OUT = 1.0  # seconds for one piece of an answer; the kernel writes it while we ask
ATTEMPTS = 3  # at one dump: the table may change under it, and memory may be short for a moment

# inet_diag_req_v2: family, protocol, extensions, padding, states, and an empty inet_diag_sockid
_REQUEST = struct.Struct("=BBBBI48x")
# inet_diag_msg: family, state, -, -, source port, -, source address, -, -, -, -, -, uid, inode
_RECORD = struct.Struct("=BBxx2s2x16s16x4x8x4x4x4xII")
_ATTRIBUTE = struct.Struct("=HH")

_MAPPED = bytes(10) + b"\xff\xff"  # the first 12 bytes of ::ffff:a.b.c.d


class _Again(Exception):
    """The dump must be repeated: it was interrupted, overrun or cut short."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening socket.

    `address` is an IP address in text form; an IPv4 address mapped into IPv6 is written as IPv4, which is how
    it is reached. `dual_stack`: an IPv6 wildcard that takes IPv4 connections as well; False where that is not
    known. `inode` names the socket while it exists, None where only the process is known (`pid`, by psutil).
    `uid` is who made the socket, None where that is not known.
    """

    address: str
    port: int
    inode: int | None
    uid: int | None
    dual_stack: bool = False
    pid: int | None = None


def address_text(packed: bytes) -> str:
    """4 or 16 bytes as text, mapped IPv4 as IPv4."""
    if len(packed) == 4:
        return socket.inet_ntop(socket.AF_INET, packed)
    if packed.startswith(_MAPPED):
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return socket.inet_ntop(socket.AF_INET6, packed)


def listener(payload: bytes) -> Listener | None:
    """Read one `inet_diag_msg`; None when it is no listening TCP socket of a family that we know."""
    if len(payload) < _RECORD.size:
        raise NetlinkError(errno.EBADMSG, f"a socket record has {len(payload)} bytes, not {_RECORD.size}")
    family, state, port, source, uid, inode = _RECORD.unpack_from(payload)
    if state != TCP_LISTEN or family not in (socket.AF_INET, socket.AF_INET6) or port == b"\0\0":
        return None
    packed = source[:4] if family == socket.AF_INET else source
    dual_stack = (
        family == socket.AF_INET6
        and not any(source)
        and _attribute(payload, _RECORD.size, INET_DIAG_SKV6ONLY) == b"\0"
    )
    return Listener(address_text(packed), int.from_bytes(port, "big"), inode, uid, dual_stack)


def _attribute(payload: bytes, offset: int, wanted: int) -> bytes | None:
    """The value of one attribute behind a record; None when it is not there or the list is damaged."""
    while len(payload) - offset >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(payload, offset)
        if length < _ATTRIBUTE.size or length > len(payload) - offset:
            return None
        if kind == wanted:
            return payload[offset + _ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3
    return None


def parse(datagrams: tuple[bytes, ...]) -> tuple[Listener, ...]:
    """All listeners of the datagrams of complete dumps; raises NetlinkError for what is no such answer."""
    found = []
    for data in datagrams:
        for kind, _, payload in messages(data):
            if kind == SOCK_DIAG_BY_FAMILY:
                one = listener(payload)
                if one is not None:
                    found.append(one)
    return tuple(found)


def _is_last(data: bytes) -> bool:
    """Whether a datagram ends its dump; raises _Again or NetlinkError for what it may say instead.

    Only the headers are read here: the records are read once, by `parse`, when the dump is complete and new.
    """
    offset, size = 0, len(data)
    while size - offset >= HEADER.size:
        length, kind, flags, _, _ = HEADER.unpack_from(data, offset)
        if length < HEADER.size:
            raise NetlinkError(errno.EBADMSG, "a netlink message has no length")
        if kind == NLMSG_OVERRUN or flags & NLM_F_DUMP_INTR:
            raise _Again
        if kind in (NLMSG_DONE, NLMSG_ERROR):
            code = 0
            if min(length, size - offset) >= HEADER.size + ERROR.size:
                code = -ERROR.unpack_from(data, offset + HEADER.size)[0]
            elif kind == NLMSG_ERROR:
                raise NetlinkError(errno.EBADMSG, "a netlink error is cut off")
            if code in (errno.EINTR, errno.EAGAIN, errno.ENOBUFS, errno.EBUSY):
                raise _Again
            if code > 0:
                raise NetlinkError(code, f"sock_diag: {os.strerror(code)}")
            return True
        offset += (length + 3) & ~3
    return False


class Netlink:
    """A netlink socket, kept open from scan to scan. Used by one thread at a time."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._buffer = bytearray(RECEIVE_SIZE)
        self._answer: tuple[bytes, ...] = ()
        self._listeners: tuple[Listener, ...] = ()

    def listeners(self) -> tuple[Listener, ...]:
        """Every listening TCP socket of this network namespace, IPv4 before IPv6, in the kernel's order.

        While nothing changes, the same tuple object comes back. Raises OSError when the kernel refuses.
        """
        for _ in range(ATTEMPTS):
            try:
                answer = (*self._dump(socket.AF_INET), *self._dump(socket.AF_INET6))
            except _Again:
                self.close()  # what is left of the old answer goes with its socket
                continue
            except OSError:
                self.close()
                raise
            # Answers are compared before they are read: almost every second they are equal byte for byte,
            # since the sequence number is the same each time (a socket never outlives a dump that went
            # wrong).
            if answer != self._answer:
                self._listeners = parse(answer)
                self._answer = answer
            return self._listeners
        raise NetlinkError(errno.EAGAIN, f"the table of sockets changed under {ATTEMPTS} dumps in a row")

    def close(self) -> None:
        """Give the socket back; the next scan opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _open(self) -> socket.socket:
        opened = open_socket()
        opened.settimeout(TIME_OUT)
        return opened

    def _dump(self, family: int) -> list[bytes]:
        if self._socket is None:
            self._socket = self._open()
        request = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, 1 << TCP_LISTEN)
        header = HEADER.pack(
            HEADER.size + len(request), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 1, 0
        )
        try:
            self._socket.sendto(header + request, (0, 0))
            return self._receive(self._socket)
        except NetlinkError as error:
            if error.errno == errno.ENOENT and family == socket.AF_INET6:
                return []  # a kernel without IPv6
            raise
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                raise _Again from error
            raise

    def _receive(self, opened: socket.socket) -> list[bytes]:
        pieces, size = [], 0
        while True:
            count, _, flags, sender = opened.recvmsg_into([self._buffer])
            if sender[0] != 0:
                continue  # any process may write to a netlink socket; only port id 0 is the kernel
            if flags & socket.MSG_TRUNC:
                raise _Again
            size += count
            if count == 0 or size > MAX_ANSWER:
                raise NetlinkError(
                    errno.EMSGSIZE, f"an answer of sock_diag ended or passed {MAX_ANSWER} bytes"
                )
            piece = bytes(memoryview(self._buffer)[:count])
            pieces.append(piece)
            if _is_last(piece):
                return pieces
