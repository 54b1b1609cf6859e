"""Datagrams in the stream of a UDP visitor, each behind its length: both ends of a tunnel read them here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from homeportd.tunnels.protocol import MAX_DATAGRAM

# Seconds without a datagram either way, after which the edge forgets a visitor. RFC 4787, REQ-5: not below two minutes.
IDLE_S: Final = 120.0
# The client's: longer, so that the edge decides, and a datagram that is under way at the end still meets its socket.
CLIENT_IDLE_S: Final = IDLE_S + 30.0


class BadLength(Exception):
    """A length that no datagram has: the stream is not what the protocol says."""


def framed(payload: bytes) -> bytes:
    """A datagram as it stands in a stream."""
    return len(payload).to_bytes(2, "big") + payload


class Datagrams:
    """The datagrams of one direction of a stream, whose bytes come in any pieces."""

    def __init__(self) -> None:
        self._partial = bytearray()  # the beginning of one datagram, with its length

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The datagrams that `data` completes, in order; to be iterated to the end. Raises BadLength."""
        if self._partial:
            self._partial += data
            data = bytes(self._partial)
            self._partial.clear()
        at, end = 0, len(data)
        while end - at >= 2:
            size = int.from_bytes(data[at : at + 2], "big")
            if size > MAX_DATAGRAM:
                raise BadLength(f"a datagram of {size} bytes")
            if end - at - 2 < size:
                break
            yield data[at + 2 : at + 2 + size]
            at += 2 + size
        self._partial += data[at:]
