"""Read events of a datagram socket that survive an error of the socket.

An ICMP answer makes a connected UDP socket report POLLERR. uvloop (libuv, uv_poll) calls the reader then, and watches
the descriptor no more; asyncio's own loops go on. The error stays with the socket until a read or a write raises it:
the caller of that renews the reader.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable


class SocketReader:
    """Calls `callback` when a socket has data or an error, on the running loop, until it is closed.

    The callback reads until there is no more, or for as long as is fair.
    """

    def __init__(self, sock: socket.socket, callback: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = sock
        self._callback = callback
        self._loop.add_reader(sock, callback)

    def renew(self) -> None:
        """Watch the socket anew. Call it for each error that a read or write of the socket raised but EAGAIN."""
        self._loop.remove_reader(self._socket)
        self._loop.add_reader(self._socket, self._callback)

    def close(self) -> None:
        """Watch the socket no more. Call it before the socket is closed."""
        if not self._loop.is_closed():
            self._loop.remove_reader(self._socket)
