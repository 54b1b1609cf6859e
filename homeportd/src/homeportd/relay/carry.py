"""One carried connection: Caddy on one side, a dev server on the other, bytes between them.

Nothing is kept but what the two transports hold: when one side can take no more (BUFFER), the other waits.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Protocol, cast

from homeportd.relay.head import MAX_HEAD, BadHead, Head, parse, status_of

BUFFER = 64 * 1024  # bytes that may wait for a slow side
HEAD_S = 10.0  # for Caddy to send a head, which it has already
DIAL_S = 5.0
HALF_OPEN_S = 30.0  # after one side said its last word, for the other to say something
MAX_ANSWER_HEAD = 64 * 1024  # bytes of a dev server's answer to an upgrade


class Keeper(Protocol):
    """What a connection needs of the relay."""

    def joined(self, one: Carried) -> bool:
        """Take up a connection, unless there are too many."""

    def left(self, one: Carried) -> None:
        """A connection is over."""

    def admit(self, head: Head) -> tuple[str, int]:
        """Where to dial; raises BadHead."""

    def still(self, head: Head) -> bool:
        """Whether the right outlived the dialling."""


class Carried(asyncio.Protocol):
    """The side of Caddy, and the whole."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self.head: Head | None = None
        self.gone = asyncio.Event()
        self._buffer = b""
        self._body_left = 0
        self._answer: bytes | None = None  # to an upgrade, as far as it has come; None: of no interest
        self._raw = False  # after 101: both sides say what they like
        self._half_open = False
        self._dialled = False
        self._ended = False
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._near: asyncio.Transport | None = None
        self._far: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()

    # From Caddy

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Caddy has a request for us."""
        self._near = cast("asyncio.Transport", transport)  # uvloop's own class is not a subclass
        self._near.set_write_buffer_limits(BUFFER)
        if not self._keeper.joined(self):
            self._refuse(503, "too many live connections")
            return
        self._timer = self._loop.call_later(HEAD_S, self.end)

    def data_received(self, data: bytes) -> None:
        """A piece of the head, of the body, or of whatever follows an upgrade."""
        if self._ended:
            return
        if self._far is not None:
            self._send_far(data)
            return
        self._buffer += data
        if self.head is not None:
            # The start of a body, while the dev server is being dialled; then nothing is read.
            return
        end = self._buffer.find(b"\r\n\r\n")
        if end > MAX_HEAD or (end < 0 and len(self._buffer) > MAX_HEAD):
            self._refuse(431, "the headers of the request are too large")
        elif end >= 0:
            self._begin(self._buffer[:end], self._buffer[end + 4 :])

    def _begin(self, block: bytes, rest: bytes) -> None:
        if self._timer is not None:
            self._timer.cancel()
        try:
            head = parse(block)
            self.head = head
            host, port = self._keeper.admit(head)
        except BadHead as error:
            self._refuse(error.status, str(error))
            return
        self._buffer = rest
        self._body_left = head.length
        self._answer = b"" if head.upgrade else None
        if self._near is not None:
            self._near.pause_reading()
        self._task = self._loop.create_task(self._dial(head, host, port))

    async def _dial(self, head: Head, host: str, port: int) -> None:
        try:
            async with asyncio.timeout(DIAL_S):
                await self._loop.create_connection(lambda: Far(self), host, port)
        except (OSError, TimeoutError):
            self._refuse(502, f"port {head.port} does not answer")
            return
        if self._ended or self._far is None or self._near is None:
            self.end()
            return
        if not self._keeper.still(head):
            self._refuse(403, "the right to this port has ended")
            return
        self._dialled = True
        self._far.write(head.raw)
        rest, self._buffer = self._buffer, b""
        if rest:
            self._send_far(rest)
        if not self._near.is_closing():
            self._near.resume_reading()

    def _send_far(self, data: bytes) -> None:
        if not self._raw:
            # Before an upgrade only the body may come. More would be a second request, which nobody allowed.
            self._body_left -= len(data)
            if self._body_left < 0:
                self.end()
                return
        if self._half_open:
            self._wait_half_open()
        if self._far is not None and not self._far.is_closing():
            self._far.write(data)

    def eof_received(self) -> bool:
        """Caddy has said its last word. Without an upgrade that means that the visitor has left."""
        if not self._raw or self._far is None:
            self.end()
            return False
        if self._far.can_write_eof() and not self._far.is_closing():
            self._far.write_eof()
        self._wait_half_open()
        return True

    def pause_writing(self) -> None:
        """The visitor is slow: read no more from the dev server."""
        if self._far is not None and not self._far.is_closing():
            self._far.pause_reading()

    def resume_writing(self) -> None:
        """The visitor has caught up."""
        if self._far is not None and not self._far.is_closing():
            self._far.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Caddy's side is closed, so the dev server's is too."""
        self._near = None
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None and not self._dialled:
            self._task.cancel()
        if self._far is not None:
            self._far.abort()
        self._keeper.left(self)
        self.gone.set()

    # From the dev server

    def far_made(self, transport: asyncio.Transport) -> None:
        """The dev server has answered the phone."""
        self._far = transport
        transport.set_write_buffer_limits(BUFFER)
        if self._ended:
            transport.abort()

    def far_data(self, data: bytes) -> None:
        """A piece of its answer."""
        if self._near is None or self._near.is_closing():
            return
        if self._answer is not None:
            self._answer += data
            status = status_of(self._answer)
            self._raw = status == 101
            if status is not None or len(self._answer) > MAX_ANSWER_HEAD:
                self._answer = None
        if self._half_open:
            self._wait_half_open()
        self._near.write(data)

    def far_eof(self) -> bool:
        """The dev server has said its last word."""
        if not self._raw or self._near is None or self._near.is_closing():
            return False
        if self._near.can_write_eof():
            self._near.write_eof()
        self._wait_half_open()
        return True

    def far_pause(self) -> None:
        """The dev server is slow: read no more from Caddy."""
        if self._near is not None and not self._near.is_closing():
            self._near.pause_reading()

    def far_resume(self) -> None:
        """The dev server has caught up."""
        if self._near is not None and not self._near.is_closing():
            self._near.resume_reading()

    def far_lost(self, exc: Exception | None) -> None:
        """The dev server's side is closed: what Caddy has not yet taken is delivered, then its side closes."""
        self._far = None
        if self._near is None:
            return
        if exc is not None:
            self._near.abort()
        else:
            self._near.close()

    # Ends

    def end(self) -> None:
        """Close both sides at once, whatever they still hold."""
        self._ended = True
        if self._far is not None:
            self._far.abort()
        if self._near is not None:
            self._near.abort()

    def _wait_half_open(self) -> None:
        self._half_open = True
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(HALF_OPEN_S, self.end)

    def _refuse(self, status: int, detail: str) -> None:
        """Answer instead of the dev server, and close."""
        self._ended = True
        if self._far is not None:
            self._far.abort()
        if self._near is None or self._near.is_closing():
            return
        content = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail, "fix": "ask again"}
        body = json.dumps(content).encode() + b"\n"
        self._near.write(
            b"HTTP/1.1 %d %b\r\nContent-Type: application/problem+json\r\nCache-Control: no-store\r\n"
            b"Content-Length: %d\r\nConnection: close\r\n\r\n%b"
            % (status, HTTPStatus(status).phrase.encode(), len(body), body)
        )
        self._near.close()


class Far(asyncio.Protocol):
    """The side of the dev server; everything is told to the whole."""

    def __init__(self, whole: Carried) -> None:
        self._whole = whole

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It was reached."""
        self._whole.far_made(cast("asyncio.Transport", transport))

    def data_received(self, data: bytes) -> None:
        """Bytes for the visitor."""
        self._whole.far_data(data)

    def eof_received(self) -> bool:
        """Its last word."""
        return self._whole.far_eof()

    def pause_writing(self) -> None:
        """It is slow."""
        self._whole.far_pause()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._whole.far_resume()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._whole.far_lost(exc)
