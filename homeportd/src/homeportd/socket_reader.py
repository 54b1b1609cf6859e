"""Read events of datagram sockets that survive an error of the socket.

An ICMP answer makes a connected UDP socket report POLLERR, at which uvloop (libuv, uv_poll) stops to watch a descriptor
for good; asyncio's own loops do not. So the loop watches the descriptor of a selector, on which no error is reported,
and the selector watches the sockets.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary


class SocketReader:
    """Calls the callback of each socket that has data or an error, until it is removed."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._selector: Any = None  # typeshed's BaseSelector has no fileno; those of Linux and macOS do

    def add(self, sock: socket.socket, callback: Callable[[], None]) -> None:
        """Watch a socket. The callback reads until there is no more, or for as long as is fair."""
        if self._selector is None:
            self._selector = selectors.DefaultSelector()
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._selector.fileno(), self._readable)
        self._selector.register(sock, selectors.EVENT_READ, callback)

    def remove(self, sock: socket.socket) -> None:
        """Watch a socket no more. Call it before the socket is closed."""
        self._selector.unregister(sock)
        if not self._selector.get_map():
            if self._loop is not None and not self._loop.is_closed():
                self._loop.remove_reader(self._selector.fileno())
            self._selector.close()
            self._selector = self._loop = None

    def _readable(self) -> None:
        selector = self._selector
        for key, _ in selector.select(0):
            if self._selector is not selector:  # the last one was removed
                return
            if selector.get_map().get(key.fd) is key:  # not removed by a callback before
                key.data()


_readers: WeakKeyDictionary[asyncio.AbstractEventLoop, SocketReader] = WeakKeyDictionary()


def socket_reader() -> SocketReader:
    """The reader of the running loop."""
    return _readers.setdefault(asyncio.get_running_loop(), SocketReader())
