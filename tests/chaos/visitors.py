"""Visitors of a chaos test, which check every byte that they get."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import time
from typing import Final

from .net import Machine
from .processes import Edge

BLOCK: Final = 1 << 16  # bytes


class Corrupt(AssertionError):
    """A stream gave bytes that nobody sent on it."""


class Visitor:
    """One connection through a tunnel to the client's echo; its bytes are its seed's alone."""

    def __init__(self, sock: socket.socket, seed: int) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._dice = random.Random(seed)
        self._sent = bytearray(b"E")  # and not heard back yet
        self.echoed = 0
        self._begun = False

    async def exchange(self, size: int) -> None:
        """Send bytes and have them back. Raises OSError when the stream is cut, Corrupt when it lies."""
        left = size
        sender = asyncio.create_task(self._send(left))
        try:
            while self.echoed < size or not sender.done() or self._sent:
                if sender.done() and sender.exception():
                    raise sender.exception() or OSError
                if sender.done() and not self._sent:
                    break
                data = await self._loop.sock_recv(self._sock, BLOCK)
                if not data:
                    raise ConnectionResetError("it ended early")
                if len(data) > len(self._sent) or self._sent[: len(data)] != data:
                    raise Corrupt(f"wrong bytes after {self.echoed} right ones")
                del self._sent[: len(data)]
                self.echoed += len(data)
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    async def _send(self, size: int) -> None:
        if not self._begun:
            self._begun = True
            await self._loop.sock_sendall(self._sock, bytes(self._sent))
        while size > 0:
            block = self._dice.randbytes(min(size, BLOCK))
            self._sent += block
            size -= len(block)
            await self._loop.sock_sendall(self._sock, block)

    def close(self) -> None:
        self._sock.close()


async def visit(edge: Edge, port: int, seed: int, machine: Machine | None = None) -> Visitor:
    """Connect to a port of the edge. Raises OSError."""
    sock = machine.socket() if machine else socket.socket()
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, (edge.address, port))
    except BaseException:
        sock.close()
        raise
    return Visitor(sock, seed)


async def reaches(edge: Edge, port: int, seed: int, machine: Machine | None, seconds: float) -> float:
    """The time at which a visitor had its first bytes back; connections that are cut are made anew."""
    async with asyncio.timeout(seconds):
        while True:
            with contextlib.suppress(OSError):
                visitor = await visit(edge, port, seed, machine)
                try:
                    await visitor.exchange(16)
                    return time.monotonic()
                finally:
                    visitor.close()
            await asyncio.sleep(0.005)
