"""The yamux wire format: a 12-byte header, big endian, then for data frames a payload.

    version:8  type:8  flags:16  stream id:32  length:32

Source: the published specification, `spec.md` of github.com/hashicorp/yamux.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final, NamedTuple

from homeportd.yamux.errors import ProtocolError

VERSION: Final = 0
HEADER: Final = struct.Struct("!BBHII")
HEADER_SIZE: Final = HEADER.size  # bytes
INITIAL_WINDOW: Final = 256 * 1024  # bytes a side may send on a new stream before any window update
MAX_U32: Final = 0xFFFF_FFFF
SESSION_ID: Final = 0  # the stream id of frames that are about the session itself

# Plain ints, not enums: they are compared several times a frame.
DATA: Final = 0
WINDOW_UPDATE: Final = 1
PING: Final = 2
GO_AWAY: Final = 3

SYN: Final = 0x1  # opens a stream; on a ping: a question
ACK: Final = 0x2  # accepts a stream; on a ping: the answer
FIN: Final = 0x4  # the sender sends no more data on this stream
RST: Final = 0x8  # the stream is over, abruptly


class Code(IntEnum):
    """Why a session ends (the length field of a go-away frame)."""

    NORMAL = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2


class Role(IntEnum):
    """The side of a connection; the value is the first stream id that it opens."""

    CLIENT = 1
    SERVER = 2


class Header(NamedTuple):
    """One frame header.

    `length` is the payload size in bytes (data), a window delta in bytes (window update), an opaque
    value (ping) or a `Code` (go-away).
    """

    kind: int
    flags: int
    stream_id: int
    length: int

    def encode(self) -> bytes:
        """The 12 bytes on the wire."""
        return HEADER.pack(VERSION, *self)


def decode(data: bytes | bytearray | memoryview, offset: int = 0) -> Header:
    """Read the header at `offset`. Raises `ProtocolError` for what no session could accept.

    Unknown flag bits are let through, as the published implementations do.
    """
    version, kind, flags, stream_id, length = HEADER.unpack_from(data, offset)
    if version != VERSION:
        raise ProtocolError(f"version {version} is not spoken here, only {VERSION}")
    if kind > GO_AWAY:
        raise ProtocolError(f"unknown frame type {kind}")
    if (stream_id == SESSION_ID) is (kind <= WINDOW_UPDATE):
        raise ProtocolError(f"frame type {kind} on stream {stream_id}")
    return Header(kind, flags, stream_id, length)
