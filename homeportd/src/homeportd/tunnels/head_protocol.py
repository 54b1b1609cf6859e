"""The answer to an HTTP request that turns a connection into something else: an Upgrade, or a proxy's CONNECT."""

from __future__ import annotations

import asyncio
from typing import Final, cast

from homeportd.yamux.config import KIB

MAX_HEAD: Final = 16 * KIB  # bytes of the answer
MAX_REST: Final = 256 * KIB  # bytes behind it, until somebody has the transport


class HeadProtocol(asyncio.Protocol):
    """The protocol of a connection until the head of the answer is there: `answer`, and the bytes behind it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.answer: asyncio.Future[tuple[int, dict[str, str]]] = loop.create_future()
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self.answer.done():
            if len(self._received) > MAX_REST and self._transport is not None:
                self._transport.abort()
            return
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            if len(self._received) > MAX_HEAD:
                self.answer.set_exception(ValueError("its answer has no end"))
            return
        head = bytes(self._received[:end])
        del self._received[: end + 4]
        try:
            self.answer.set_result(_parse(head))
        except ValueError as error:
            self.answer.set_exception(error)

    def eof_received(self) -> None:
        self._fail("it closed the connection")

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(str(exc) if exc else "it closed the connection")

    def take_rest(self) -> bytes:
        """The bytes after the head of the answer."""
        if not self.answer.done():
            self.answer.cancel()
        data = bytes(self._received)
        self._received.clear()
        return data

    def _fail(self, why: str) -> None:
        if not self.answer.done():
            self.answer.set_exception(ConnectionResetError(why))
            self.answer.exception()  # retrieved, so that asyncio does not log it where nothing waits


def _parse(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    protocol, _, rest = first.partition(" ")
    if not protocol.startswith("HTTP/1.") or not rest[:3].isdigit():
        raise ValueError("it does not speak HTTP")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return int(rest[:3]), headers
