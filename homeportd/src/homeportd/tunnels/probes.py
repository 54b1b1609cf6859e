"""Probes of a local server that did not answer HTTP/1.1 without TLS: whether it speaks TLS, or HTTP/2 alone."""

from __future__ import annotations

import asyncio
from typing import Final

from homeportd.tunnels import trust
from homeportd.tunnels.http.first_bytes import FirstBytes, recognise

PROBE_S: Final = 3.0  # seconds for each
SERVER_NAME: Final = "localhost"  # of TLS, for a server on loopback, whose certificate is not verified
# The preface of a client and its empty SETTINGS (RFC 9113 §3.4).
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"


async def speaks_tls(host: str, port: int, seconds: float = PROBE_S) -> bool:
    """Whether a handshake of TLS comes to its end, whatever the certificate."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(seconds):
            transport, _ = await loop.create_connection(
                asyncio.Protocol,
                host,
                port,
                ssl=trust.server_context(verified=False),
                server_hostname=SERVER_NAME,
            )
    except OSError:  # ssl.SSLError and a time-out are such
        return False
    transport.abort()
    return True


async def speaks_http2(host: str, port: int, seconds: float = PROBE_S) -> bool:
    """Whether the server answers the preface of HTTP/2 without TLS."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[bytes] = loop.create_future()
    transport = None
    try:
        async with asyncio.timeout(seconds):
            transport, _ = await loop.create_connection(lambda: _FirstAnswer(answered), host, port)
            transport.write(_PREFACE)
            return recognise(await answered) is FirstBytes.HTTP2
    except OSError:
        return False
    finally:
        if transport is not None:
            transport.abort()


class _FirstAnswer(asyncio.Protocol):
    """The protocol that keeps the first bytes, enough to recognise them."""

    def __init__(self, answered: asyncio.Future[bytes]) -> None:
        self._answered = answered
        self._seen = b""

    def data_received(self, data: bytes) -> None:
        self._seen += data
        if recognise(self._seen) is not None and not self._answered.done():
            self._answered.set_result(self._seen)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._answered.done():
            self._answered.set_result(self._seen)
