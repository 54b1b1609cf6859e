"""The configuration of uvicorn for every listener of the agent: without what costs time or trusts a header."""

from __future__ import annotations

from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from homeportd.http_protocol import LimitedConfig, LimitedProtocol, part_of_descriptors
from homeportd.sockets import BACKLOG
from homeportd.uvicorn_shutdown import GONE_S, STOP_S

KEEP_ALIVE_S: Final = 120  # of an idle connection; Caddy and Traefik give theirs up earlier
MAX_WEBSOCKET_MESSAGE: Final = 4096  # bytes from a client; a dashboard sends nothing


def uvicorn_config(
    app: Any,
    protocol: type[LimitedProtocol] = LimitedProtocol,
    *,
    part: float,
    websockets: bool = True,
    client_header: bytes = b"x-homeport-client",
) -> LimitedConfig:
    """The configuration for one ASGI application.

    `protocol` speaks HTTP; `part` of the process's descriptors is for its connections; `websockets` False refuses
    upgrades; `client_header` is the one in which the proxy ahead says the visitor's address.
    """
    return LimitedConfig(
        app,
        connections=part_of_descriptors(part),
        client_header=client_header,
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
