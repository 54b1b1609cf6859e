"""The configuration of uvicorn for every listener of the agent: without what costs time or trusts a header."""

from __future__ import annotations

from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from homeportd.sockets import BACKLOG
from homeportd.uvicorn_shutdown import GONE_S, STOP_S

KEEP_ALIVE_S: Final = 120  # of an idle connection; Caddy and Traefik give theirs up earlier
MAX_WEBSOCKET_MESSAGE: Final = 4096  # bytes from a client; a dashboard sends nothing


def uvicorn_config(
    app: Any, protocol: type[HttpToolsProtocol] = HttpToolsProtocol, *, websockets: bool = True
) -> uvicorn.Config:
    """The configuration for one ASGI application. `protocol` speaks HTTP; `websockets` False refuses upgrades."""
    return uvicorn.Config(
        app,
        http=protocol,
        ws=WebSocketsSansIOProtocol if websockets else "none",
        ws_max_size=MAX_WEBSOCKET_MESSAGE,
        ws_per_message_deflate=False,
        lifespan="off",
        interface="asgi3",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(STOP_S + GONE_S),
    )
