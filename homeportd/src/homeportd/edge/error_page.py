"""The page that an HTTP visitor gets when a name's client, or its server, is not there.

Spoken on a raw connection of Traefik: one answer, then the end.
"""

from __future__ import annotations

import asyncio
from typing import Final, cast

MAX_HEAD: Final = 64 * 1024  # bytes of a request before it is answered anyhow
PATIENCE_S: Final = 10  # for the request
LINGER_S: Final = 2  # for the rest of a body: closing on unread bytes would destroy the answer on its way
REFRESH_S: Final = 2


def page(status: str, title: str, text: str, *, refresh: bool = False) -> bytes:
    """A whole answer of HTTP/1.1."""
    body = document(title, text, refresh=refresh)
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nRetry-After: 2\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + body


def document(title: str, text: str, *, refresh: bool = False) -> bytes:
    """The page alone. The texts are ours: nothing in them is escaped."""
    again = f'<meta http-equiv="refresh" content="{REFRESH_S}">' if refresh else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{again}'
        f"<title>{title}</title>"
        '</head><body style="font:1rem/1.5 system-ui,sans-serif;max-width:30rem;margin:4rem auto;'
        f'padding:0 1rem;color:#1a1c1e;background:#fbfbf9"><h1 style="font-size:1.25rem">{title}</h1><p>{text}</p>'
        "</body></html>\n"
    ).encode()


OFFLINE: Final = page(
    "502 Bad Gateway",
    "This tunnel is not connected",
    "The machine behind this name is offline at the moment. The page tries again by itself.",
    refresh=True,
)
SILENT: Final = page(
    "502 Bad Gateway",
    "The server behind this tunnel does not answer",
    "The tunnel is connected, and nothing listens at its other end. The page tries again by itself.",
    refresh=True,
)
BUSY: Final = page(
    "503 Service Unavailable",
    "Too many visitors at once",
    "This tunnel is limited to a number of connections, which is reached. Try again a little later.",
)

MOVED: Final = page(
    "503 Service Unavailable",
    "Who may use this tunnel has just changed",
    "The page tries again by itself.",
    refresh=True,
)


class ErrorPage(asyncio.Protocol):
    """Waits for a request, unless it came already, gives the answer, and ends the connection."""

    def __init__(self, answer: bytes, loop: asyncio.AbstractEventLoop, known: set[ErrorPage]) -> None:
        self._answer = answer
        self._known = known
        self._loop = loop
        self._seen = bytearray()
        self._answered = False
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    def take_over(
        cls,
        transport: asyncio.Transport,
        answer: bytes,
        loop: asyncio.AbstractEventLoop,
        known: set[ErrorPage],
        *,
        asked: bool,
    ) -> None:
        """Answer on a connected transport; `asked`: the request came already. It is in `known` until it is over."""
        apology = cls(answer, loop, known)
        transport.set_protocol(apology)
        apology.connection_made(transport)
        if asked:
            apology.give()
        transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._known.add(self)
        self._timer = self._loop.call_later(PATIENCE_S, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        if self._answered:
            return
        self._seen += data
        if b"\r\n\r\n" in self._seen or len(self._seen) > MAX_HEAD:
            self.give()

    def give(self) -> None:
        """Answer now."""
        self._answered = True
        self._seen.clear()
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(self._answer)
        self._transport.write_eof()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(LINGER_S, self._transport.abort)

    def abort(self) -> None:
        """End the connection, answered or not."""
        if self._transport is not None:
            self._transport.abort()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._known.discard(self)
        if self._timer is not None:
            self._timer.cancel()
