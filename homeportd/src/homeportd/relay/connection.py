"""A relayed connection: Caddy on one side, a dev server (the upstream) on the other, bytes between them.

Nothing is kept but what the two transports hold: when one side can take no more (BUFFER), the other waits.
"""

from __future__ import annotations

import asyncio
from typing import Protocol, cast

from homeportd.http_protocol import problem_response
from homeportd.ports.model import Program
from homeportd.ports.protocols import Protocol as Spoken
from homeportd.ports.protocols import Protocols
from homeportd.relay.head import FIX, MAX_HEAD, BadHead, Head, is_doubtful, parse, status_of

BUFFER = 64 * 1024  # bytes that may wait for a slow side
HEAD_S = 10.0  # for Caddy to send a head, which it has already
DIAL_S = 5.0
HALF_OPEN_S = 30.0  # after one side has ended its stream, for the other to send something
MAX_KEPT = 256 * 1024  # bytes of a request that may have to be sent again, by TLS
MAX_ANSWER_HEAD = 64 * 1024  # bytes of a dev server's answer to an upgrade


NAMES = {Spoken.H2C: "HTTP/2 in clear: ask again", Spoken.OTHER: "no HTTP"}


class ConnectionOwner(Protocol):
    """What a connection needs of the relay, which owns it."""

    protocols: Protocols

    def add(self, connection: RelayedConnection) -> bool:
        """Count a connection; False when there are too many."""

    def discard(self, connection: RelayedConnection) -> None:
        """Forget a connection that is over."""

    def admit(self, head: Head) -> Program:
        """The program to dial for this request. Raises BadHead."""

    def still_allowed(self, head: Head, program: Program) -> bool:
        """Whether the right of a request still holds, after the program was dialled, and whether it was that one."""


class RelayedConnection(asyncio.Protocol):
    """The protocol of Caddy's side, which owns both sides."""

    def __init__(self, owner: ConnectionOwner) -> None:
        self._owner = owner
        self.head: Head | None = None
        self.gone = asyncio.Event()
        self._buffer = b""
        self._body_left = 0
        self._answer: bytes | None = None  # to an upgrade, as far as it has come; None: of no interest
        self._sent: bytearray | None = None  # to a server of unknown protocol, to be sent again by TLS
        self._first = b""  # its answer, held back until its protocol is known
        self._finding = False  # it is being found out
        self._unknown = False  # it was so when the request came
        self._raw = False  # after 101: bytes in both directions are no HTTP
        self._half_open = False
        self._finished = 0  # sides that have ended their stream
        self._dialled = False
        self._ended = False
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._caddy: asyncio.Transport | None = None
        self._upstream: asyncio.Transport | None = None
        self._protocol: Upstream
        self._program: Program
        self._loop = asyncio.get_running_loop()

    # From Caddy

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a request of Caddy's, for HEAD_S."""
        self._caddy = cast("asyncio.Transport", transport)  # uvloop's own class is not a subclass
        self._caddy.set_write_buffer_limits(BUFFER)
        if not self._owner.add(self):
            self._refuse(503, "too many live connections")
            return
        self._timer = self._loop.call_later(HEAD_S, self.end)

    def data_received(self, data: bytes) -> None:
        """Take a piece of the head, of the body, or of what follows an upgrade."""
        if self._ended:
            return
        if self._upstream is not None:
            self._send_upstream(data)
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
            program = self._owner.admit(head)
        except BadHead as error:
            self._refuse(error.status, error.detail)
            return
        self._buffer = rest
        self._body_left = head.length
        self._answer = b"" if head.upgrade else None
        if self._caddy is not None:
            self._caddy.pause_reading()
        self._task = self._loop.create_task(self._dial(head, program))

    async def _dial(self, head: Head, program: Program) -> None:
        spoken = Spoken.HTTP if program.socket is not None else self._owner.protocols.of(program)
        if spoken is Spoken.H2C:
            self._refuse(502, f"the server on port {head.port} speaks HTTP/2 in clear, and no WebSocket")
            return
        if spoken in (None, Spoken.OTHER):
            self._sent, self._unknown = bytearray(head.raw), True
        await self._connect(head, program, tls=spoken is Spoken.HTTPS, data=head.raw)

    async def _connect(self, head: Head, program: Program, *, tls: bool, data: bytes) -> None:
        self._program, self._protocol = program, Upstream(self)
        context = self._owner.protocols.context if tls else None
        name = "localhost" if tls else None
        try:
            async with asyncio.timeout(DIAL_S):
                if program.socket is not None:
                    await self._loop.create_unix_connection(lambda: self._protocol, program.socket)
                else:
                    host, port = program.dialled
                    await self._loop.create_connection(
                        lambda: self._protocol, host, port, ssl=context, server_hostname=name
                    )
        except (OSError, TimeoutError):
            self._fail(502, f"port {head.port} does not answer")
            return
        if self._finding:  # it closed at once
            return
        if self._ended or self._upstream is None or self._caddy is None:
            self.end()
            return
        if not self._owner.still_allowed(head, program):
            self._refuse(403, "the right to this port has ended")
            return
        self._dialled = True
        self._upstream.write(data)
        rest, self._buffer = self._buffer, b""
        if rest:
            self._send_upstream(rest)
        if not self._caddy.is_closing():
            self._caddy.resume_reading()

    def _send_upstream(self, data: bytes) -> None:
        if not self._raw:
            # Before an upgrade only the body may come. More would be a second request, which nobody allowed.
            self._body_left -= len(data)
            if self._body_left < 0:
                self.end()
                return
        if self._half_open:
            self._wait_half_open()
        if self._upstream is not None and not self._upstream.is_closing():
            self._upstream.write(data)
        if self._sent is not None:
            self._sent += data
            if len(self._sent) > MAX_KEPT:
                self._sent = None  # it cannot be sent again, so that it is taken for HTTP

    def eof_received(self) -> bool:
        """Pass the end of Caddy's stream on. Without an upgrade it means that the visitor has left."""
        if not self._raw or self._upstream is None:
            self.end()
            return False
        if self._upstream.can_write_eof() and not self._upstream.is_closing():
            self._upstream.write_eof()
        return self._finish()

    def pause_writing(self) -> None:
        """Read no more from the dev server while the visitor is slow."""
        if self._upstream is not None and not self._upstream.is_closing():
            self._upstream.pause_reading()

    def resume_writing(self) -> None:
        """Read from the dev server again: the visitor has caught up."""
        if self._upstream is not None and not self._upstream.is_closing():
            self._upstream.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Close the dev server's side after Caddy's."""
        self._caddy = None
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None and not self._dialled:
            self._task.cancel()
        if self._upstream is not None:
            self._upstream.abort()
        self._owner.discard(self)
        self.gone.set()

    # From the dev server

    def upstream_connected(self, transport: asyncio.Transport) -> None:
        """Take the transport of the dev server's side."""
        self._upstream = transport
        transport.set_write_buffer_limits(BUFFER)
        if self._ended:
            transport.abort()

    def upstream_received(self, data: bytes) -> None:
        """Pass a piece of the dev server's answer on."""
        if self._caddy is None or self._caddy.is_closing():
            return
        if self._sent is not None:
            self._first += data
            doubtful = is_doubtful(self._first)
            if doubtful or (doubtful is None and len(self._first) > MAX_ANSWER_HEAD):
                self._find_protocol()
            if doubtful is not False:
                return
            self._owner.protocols.learn(self._program, Spoken.HTTP)
            data, self._sent, self._first = self._first, None, b""
        if self._answer is not None:
            self._answer += data
            status = status_of(self._answer)
            self._raw = status == 101
            if status is not None or len(self._answer) > MAX_ANSWER_HEAD:
                self._answer = None
        if self._half_open:
            self._wait_half_open()
        self._caddy.write(data)

    def upstream_finished(self) -> bool:
        """Pass the end of the dev server's stream on; whether its transport stays open."""
        if not self._raw or self._caddy is None or self._caddy.is_closing():
            return False
        if self._upstream is not None and self._upstream.get_extra_info("ssl_object") is not None:
            return False  # TLS has no half-open connections
        if self._caddy.can_write_eof():
            self._caddy.write_eof()
        return self._finish()

    def upstream_full(self) -> None:
        """Read no more from Caddy while the dev server is slow."""
        if self._caddy is not None and not self._caddy.is_closing():
            self._caddy.pause_reading()

    def upstream_drained(self) -> None:
        """Read from Caddy again: the dev server has caught up."""
        if self._caddy is not None and not self._caddy.is_closing():
            self._caddy.resume_reading()

    def upstream_lost(self, exc: Exception | None) -> None:
        """Close Caddy's side after the dev server's, once Caddy has taken what is left."""
        self._upstream = None
        if self._caddy is None or self._finding:
            return
        if self._sent is not None and not self._caddy.is_closing():
            self._find_protocol()
            return
        if exc is not None:
            self._caddy.abort()
        else:
            self._caddy.close()

    # A server of unknown protocol

    def _find_protocol(self) -> None:
        if not self._finding:
            self._finding = True
            for transport in (self._upstream, self._caddy):
                if transport is not None and not transport.is_closing():
                    transport.pause_reading()
            self._dialled = False  # the task below ends with Caddy's side
            self._task = self._loop.create_task(self._go_on_with_protocol())

    async def _go_on_with_protocol(self) -> None:
        assert self.head is not None  # noqa: S101 - it was sent
        known = self._owner.protocols
        spoken = await known.find(self._program)
        if status_of(self._first) and spoken is not Spoken.HTTPS:
            spoken = Spoken.HTTP  # it said 400 and meant it
        if not self._first and spoken is Spoken.OTHER:
            self._fail(502, f"port {self.head.port} does not answer")  # it closed, and may be HTTP
            return
        known.learn(self._program, spoken)
        sent, self._sent, self._finding = self._sent, None, False
        if spoken is Spoken.HTTP and self._caddy is not None:
            self._dialled = True
            first, self._first = self._first, b""
            self.upstream_received(first)
            for transport in (self._upstream, self._caddy):
                if transport is not None and not transport.is_closing():
                    transport.resume_reading()
            if self._upstream is None:
                self._caddy.close()
            return
        self._protocol.detach()
        if self._upstream is not None:
            self._upstream.abort()
            self._upstream = None
        if spoken is Spoken.HTTPS and sent is not None:
            await self._connect(self.head, self._program, tls=True, data=bytes(sent))
        else:
            self._fail(502, f"the server on port {self.head.port} speaks {NAMES[spoken]}")

    def _fail(self, status: int, detail: str) -> None:
        """Let Caddy ask the gateway for an answer, which knows the protocol; to an upgrade, say `detail`."""
        if self._unknown and self.head is not None and not self.head.upgrade:
            self.end()
        else:
            self._refuse(status, detail)

    # Ends

    def end(self) -> None:
        """Close both sides at once, whatever they still hold."""
        self._ended = True
        if self._upstream is not None:
            self._upstream.abort()
        if self._caddy is not None:
            self._caddy.abort()

    def _finish(self) -> bool:
        """Note that a side has ended its stream; whether the transports stay open, which they do until both have."""
        self._finished += 1
        if self._finished < 2:
            self._wait_half_open()
            return True
        for transport in (self._upstream, self._caddy):
            if transport is not None:
                transport.close()
        return False

    def _wait_half_open(self) -> None:
        self._half_open = True
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(HALF_OPEN_S, self.end)

    def _refuse(self, status: int, detail: str) -> None:
        """Answer in place of the dev server, and close."""
        self._ended = True
        if self._upstream is not None:
            self._upstream.abort()
        if self._caddy is None or self._caddy.is_closing():
            return
        self._caddy.write(problem_response(status, detail, FIX))
        self._caddy.close()


class Upstream(asyncio.Protocol):
    """The protocol of the dev server's side, which passes all events to its connection until it is detached."""

    def __init__(self, connection: RelayedConnection) -> None:
        self._connection = connection
        self._attached = True

    def detach(self) -> None:
        """Pass no more events on."""
        self._attached = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connection.upstream_connected(cast("asyncio.Transport", transport))

    def data_received(self, data: bytes) -> None:
        if self._attached:
            self._connection.upstream_received(data)

    def eof_received(self) -> bool:
        return self._attached and self._connection.upstream_finished()

    def pause_writing(self) -> None:
        if self._attached:
            self._connection.upstream_full()

    def resume_writing(self) -> None:
        if self._attached:
            self._connection.upstream_drained()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._attached:
            self._connection.upstream_lost(exc)
