"""Who is at the other end of a unix socket: SO_PEERCRED, unix(7)."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

SCOPE_KEY = "homeport.peer_uid"


def peer_uid(transport: asyncio.BaseTransport) -> int | None:
    """The user id of the process that connected, None where the kernel does not say."""
    connection: Any = transport.get_extra_info("socket")
    option = getattr(socket, "SO_PEERCRED", None)
    if connection is None or option is None or connection.family != socket.AF_UNIX:
        return None
    _pid, uid, _gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, option, 12))
    return int(uid)


def trusted(uid: object) -> bool:
    """Whether a peer is the owner: the agent's own user, or root, who could read its memory anyway."""
    return isinstance(uid, int) and uid in (os.getuid(), 0)


class PeerProtocol(HttpToolsProtocol):
    """HTTP on the command line's socket: each request's scope carries the peer's user id."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Note the peer once for the connection."""
        super().connection_made(transport)
        uid, app = peer_uid(transport), self.app

        async def with_peer(scope: Scope, receive: Receive, send: Send) -> None:
            scope[SCOPE_KEY] = uid
            await app(scope, receive, send)

        self.app = with_peer
