"""The error page for visitors of an HTTP name whose client, or server, does not answer.

It is written to a raw connection of Traefik: one response of HTTP/1.1, then the end.
"""

from __future__ import annotations

import asyncio
from typing import Final, cast

MAX_HEAD: Final = 64 * 1024  # bytes of a request without an end of its head; then it is answered anyhow
REQUEST_S: Final = 10  # to wait for the request
LINGER_S: Final = 2  # for the rest of a body: closing on unread bytes would destroy the response on its way
REFRESH_S: Final = 2  # before a page that may change loads itself again


def page(status: str, title: str, text: str, *, refresh: bool = False) -> bytes:
    """A whole HTTP/1.1 response with the page."""
    body = document(title, text, refresh=refresh)
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nRetry-After: 2\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode() + body


def document(title: str, text: str, *, refresh: bool = False) -> bytes:
    """The page as HTML. `title` and `text` are written as they are: nothing in them is escaped."""
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
    "The tunnel is connected, and no web server answers at its other end. The page tries again by itself.",
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
    """The protocol that waits for a request, unless it came already, sends the response, and ends the connection."""

    def __init__(self, response: bytes, loop: asyncio.AbstractEventLoop, open_pages: set[ErrorPage]) -> None:
        self._response = response
        self._open_pages = open_pages
        self._loop = loop
        self._seen = bytearray()
        self._sent = False
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    def take_over(
        cls,
        transport: asyncio.Transport,
        response: bytes,
        loop: asyncio.AbstractEventLoop,
        open_pages: set[ErrorPage],
        *,
        asked: bool,
    ) -> None:
        """Take over a connected transport; `asked`: the request came already. It is in `open_pages` until it ends."""
        protocol = cls(response, loop, open_pages)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if asked:
            protocol.send()
        transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._open_pages.add(self)
        self._timer = self._loop.call_later(REQUEST_S, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        if self._sent:
            return
        self._seen += data
        if b"\r\n\r\n" in self._seen or len(self._seen) > MAX_HEAD:
            self.send()

    def send(self) -> None:
        """Send the response now."""
        self._sent = True
        self._seen.clear()
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(self._response)
        self._transport.write_eof()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(LINGER_S, self._transport.abort)

    def abort(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._open_pages.discard(self)
        if self._timer is not None:
            self._timer.cancel()
