"""Connections of http.client through an HTTP proxy, which itself may be reached by TLS."""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import ssl
import threading
from typing import Any, Final

from homeportd.tunnels.address import EdgeAddress
from homeportd.tunnels.proxy_connect import Way

CHUNK: Final = 64 * 1024  # bytes


def lead(connection: http.client.HTTPConnection, way: Way, address: EdgeAddress) -> None:
    """Let a connection that is not open yet go to `address` through a proxy, by CONNECT."""
    connection.host, connection.port = way.proxy.host, way.proxy.port
    connection.set_tunnel(address.host, address.port, way.proxy.headers)
    if way.context is not None:
        context, host = way.context, way.proxy.host

        def dial(target: tuple[str, int], timeout: float, _source: Any = None) -> socket.socket:
            return _decrypted(
                context.wrap_socket(socket.create_connection(target, timeout), server_hostname=host)
            )

        connection._create_connection = dial  # type: ignore[attr-defined]


def _decrypted(outer: ssl.SSLSocket) -> socket.socket:
    """A plain socket for what goes through `outer`: Python wraps no TLS socket in TLS."""
    near, far = socket.socketpair()
    near.settimeout(outer.gettimeout())
    outer.settimeout(None)
    threading.Thread(target=_pump, args=(outer, far), daemon=True).start()
    return near


def _pump(outer: ssl.SSLSocket, far: socket.socket) -> None:
    with outer, far, contextlib.suppress(OSError):
        while True:
            ready = [outer] if outer.pending() else select.select([outer, far], [], [])[0]
            for source, target in ((outer, far), (far, outer)):
                if source not in ready:
                    continue
                data = source.recv(CHUNK)
                if not data:
                    return
                target.sendall(data)
