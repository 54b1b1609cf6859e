"""HTTP on the command line's socket, where each request carries the user id of the process that sent it."""

from __future__ import annotations

import asyncio
import os

from starlette.types import Receive, Scope, Send

from homeportd.http_protocol import LimitedProtocol
from homeportd.peer_credentials import peer_uid

SCOPE_KEY = "homeport.peer_uid"


def trusted(uid: object) -> bool:
    """Whether a peer is the owner: the agent's own user, or root, who could read its memory anyway."""
    return isinstance(uid, int) and uid in (os.getuid(), 0)


class PeerProtocol(LimitedProtocol):
    """HTTP on the command line's socket: each request's scope carries the peer's user id."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Note the peer once for the connection."""
        super().connection_made(transport)
        uid, app = peer_uid(transport.get_extra_info("socket")), self.app

        async def with_peer(scope: Scope, receive: Receive, send: Send) -> None:
            scope[SCOPE_KEY] = uid
            await app(scope, receive, send)

        self.app = with_peer
