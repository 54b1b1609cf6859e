"""A yamux session over any asyncio transport (TCP, unix socket, TLS; asyncio's own loop or uvloop).

It runs by callbacks, with no task of its own. Output is pulled from the `Machine` only while the transport
takes it, so a slow network reaches back to every writer, and streams share what it takes.
The clock is `time.monotonic`: uvloop's own counts whole milliseconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import OrderedDict
from time import monotonic
from types import TracebackType
from typing import Final, Self, cast

from homeportd.yamux.config import KIB, Config
from homeportd.yamux.errors import ProtocolError, SessionClosed, StreamReset, YamuxError
from homeportd.yamux.events import (
    Acknowledged,
    Data,
    Ended,
    Event,
    Failed,
    Finished,
    Opened,
    Pong,
    Reset,
    WentAway,
)
from homeportd.yamux.frames import Code, Role
from homeportd.yamux.heartbeat import Heartbeat
from homeportd.yamux.machine import Machine
from homeportd.yamux.stream import Stream

RECEIVE_BUFFER: Final = 256 * KIB  # bytes read from a transport at once
PULL: Final = 256 * KIB  # bytes of payload handed to the transport at once
JOIN_BELOW: Final = (
    4 * KIB
)  # chunks smaller than this on average are joined: one write (TLS: record) is cheaper
FAREWELL: Final = 2.0  # seconds a peer that broke the protocol has to read why


class _Buffers(threading.local):
    """One receive buffer a thread, not a session: one callback of the loop fills and empties it."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(RECEIVE_BUFFER))


_buffers = _Buffers()


class Session(asyncio.BufferedProtocol):
    """One side of a connection. A protocol for `loop.create_connection` and the like, or see `over`.

    As a context manager it is closed at the end.
    """

    def __init__(self, role: Role, config: Config | None = None) -> None:
        self.machine = Machine(role, config)
        self.config = self.machine.config
        self.loop = asyncio.get_running_loop()
        self.unread = 0  # bytes received and not consumed, of all streams
        self.bytes_received = 0  # of the connection, with headers
        self.bytes_sent = 0
        self.error: YamuxError | None = None  # why the session ended
        self._transport: asyncio.Transport | None = None
        self._streams: dict[int, Stream] = {}
        self._backlog: OrderedDict[int, Stream] = OrderedDict()  # opened by the peer, not accepted yet
        self._acceptors: list[asyncio.Future[None]] = []
        self._open_slots = asyncio.Semaphore(self.config.accept_backlog)
        self._unacknowledged: set[int] = set()
        self._heartbeat = Heartbeat(self.machine, self.loop, self.schedule_flush, self.abort)
        self._blocked = True  # the transport takes no more for now
        self._flush_scheduled = False
        self._abort_timer: asyncio.TimerHandle | None = None
        self._lost: asyncio.Future[None] = self.loop.create_future()

    @classmethod
    def over(
        cls, transport: asyncio.Transport, role: Role, config: Config | None = None, received: bytes = b""
    ) -> Self:
        """Take over a connected transport (after an HTTP Upgrade, say) and what arrived on it already."""
        session = cls(role, config)
        transport.set_protocol(session)
        session.connection_made(transport)
        session._feed(memoryview(received))
        if not transport.is_reading():
            transport.resume_reading()
        return session

    def __repr__(self) -> str:
        state = "open" if self.error is None else f"closed: {self.error}"
        return f"<Session {self.machine.role.name} {state} streams={len(self._streams)}>"

    # For the owner

    @property
    def streams(self) -> int:
        """Live streams."""
        return len(self._streams)

    @property
    def round_trip(self) -> float | None:
        """Seconds to the peer and back, smoothed; None before the first answer."""
        return self.machine.round_trip

    @property
    def heard_at(self) -> float | None:
        """When the last byte came, by `time.monotonic()`."""
        return self._heartbeat.heard_at

    @property
    def is_closed(self) -> bool:
        """Whether the session has ended; `error` says why."""
        return self.error is not None

    async def open(self) -> Stream:
        """Open a stream. It may be written at once; waits only while the peer leaves too many unanswered.

        Raises `SessionClosed`, `TooManyStreams`, or `TimeoutError` after `Config.open_timeout`.
        """
        self._check()
        if self._open_slots.locked():
            async with asyncio.timeout(self.config.open_timeout):
                await self._open_slots.acquire()
        else:
            await self._open_slots.acquire()
        try:
            self._check()
            stream = Stream(self, self.machine.open(monotonic()))
        except BaseException:
            self._open_slots.release()
            raise
        self._streams[stream.id] = stream
        self._unacknowledged.add(stream.id)
        self.schedule_flush()
        return stream

    async def accept(self) -> Stream:
        """Wait for the next stream the peer opens. Raises `SessionClosed`."""
        while not self._backlog:
            self._check()
            waiter = self.loop.create_future()
            self._acceptors.append(waiter)
            try:
                await waiter
            finally:
                self._acceptors.remove(waiter)
        stream_id, stream = self._backlog.popitem(last=False)
        self.machine.accept(stream_id)
        self.schedule_flush()
        return stream

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Stream:
        try:
            return await self.accept()
        except SessionClosed:
            raise StopAsyncIteration from None

    async def ping(self) -> float:
        """Seconds to the peer and back. Raises `SessionClosed`."""
        self._check()
        return await self._heartbeat.ping()

    def go_away(self) -> None:
        """Tell the peer that no new streams are accepted here. Those that live go on."""
        self.machine.go_away()
        self.schedule_flush()

    async def close(self, code: Code = Code.NORMAL) -> None:
        """End the session: say so, send what closed streams still have to send, cut the others, and wait.

        It takes at most twice `Config.close_timeout`, however slow the peer.
        """
        if self.error is None:
            self.machine.go_away(code)
            self._flush()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.config.close_timeout):
                    for stream in [s for s in self._streams.values() if s.is_closing]:
                        await stream.wait_sent()
            self._end(SessionClosed("the session was closed here"), self.config.close_timeout)
        await self.wait_closed()

    def abort(self, reason: str = "the session was aborted here") -> None:
        """End the session at once, without a word to the peer."""
        self._end(SessionClosed(reason), 0)

    async def wait_closed(self) -> None:
        """Wait until the connection is gone."""
        await asyncio.shield(self._lost)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # For streams

    def schedule_flush(self) -> None:
        """Send what is due after the callbacks of this turn of the loop: their frames go out together."""
        if not self._flush_scheduled and not self._blocked:
            self._flush_scheduled = True
            self.loop.call_soon(self._flush)

    def on_consumed(self, stream: Stream, size: int) -> None:
        """The reader of a stream used some bytes."""
        if not stream.is_over and self.machine.consume(stream.id, size, monotonic()):
            self.schedule_flush()
        self.on_dropped(size)

    def on_dropped(self, size: int) -> None:
        """Some unread bytes are held no longer."""
        self.unread -= size

    def on_stream_over(self, stream: Stream, error: YamuxError | None) -> None:
        """A stream ended, in good order (None) or not."""
        self._streams.pop(stream.id, None)
        self._backlog.pop(stream.id, None)
        self._release_slot(stream.id)
        stream.on_over(error)

    # Called by the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclasses
        self._transport.set_write_buffer_limits(high=self.config.transport_buffer)
        self._blocked = False
        self._heartbeat.blocked = False
        self._heartbeat.start()
        self.schedule_flush()

    def get_buffer(self, sizehint: int) -> memoryview:
        return _buffers.view

    def buffer_updated(self, nbytes: int) -> None:
        self._feed(_buffers.view[:nbytes])

    def eof_received(self) -> None:
        return None  # close: half of a session is of no use

    def pause_writing(self) -> None:
        self._blocked = self._heartbeat.blocked = True

    def resume_writing(self) -> None:
        self._blocked = self._heartbeat.blocked = False
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._blocked = True
        self._end(
            SessionClosed(f"the connection was lost: {exc}" if exc else "the peer closed the connection"), 0
        )
        if self._abort_timer is not None:
            self._abort_timer.cancel()
            self._abort_timer = None
        if not self._lost.done():
            self._lost.set_result(None)

    # Inside

    def _check(self) -> None:
        if self.error is not None:
            raise SessionClosed(str(self.error)) from self.error

    def _feed(self, data: memoryview) -> None:
        if self.error is not None or not data:
            return
        now = monotonic()
        self.bytes_received += len(data)
        self._heartbeat.heard_at = now
        streams = self._streams
        for event in self.machine.receive(data, now):
            if type(event) is Data:
                stream = streams.get(event.stream_id)
                if stream is not None:  # else a callback reset it a moment ago
                    stream.on_data(event.payload)
            else:
                self._take(event, now)
                if self.error is not None:
                    return
        if not self._flush_scheduled:
            self._flush()

    def _take(self, event: Event, now: float) -> None:
        match event:
            case Opened(stream_id):
                self._streams[stream_id] = self._backlog[stream_id] = Stream(self, stream_id)
                self._wake_acceptors()
            case Acknowledged(stream_id):
                self._release_slot(stream_id)
            case Finished(stream_id):
                if stream := self._streams.get(stream_id):
                    stream.on_finished()
            case Ended(stream_id):
                if stream := self._streams.get(stream_id):
                    self.on_stream_over(stream, None)
            case Reset(stream_id, reason):
                if stream := self._streams.get(stream_id):
                    self.on_stream_over(
                        stream, StreamReset(f"stream {stream_id}: {reason or 'reset by the peer'}")
                    )
            case Pong(value):
                self._heartbeat.answered(value, now)
            case WentAway(code):
                if code != Code.NORMAL:
                    self._end(SessionClosed(f"the peer gave the session up with code {code}"), FAREWELL)
            case Failed(reason):
                self._flush()
                self._end(ProtocolError(reason), FAREWELL)

    def _flush(self) -> None:
        self._flush_scheduled = False
        machine, transport = self.machine, self._transport
        while machine.wants_to_send and not self._blocked and transport is not None:
            chunks = machine.pull(PULL)
            size = sum(map(len, chunks))
            self.bytes_sent += size
            if len(chunks) == 1:
                transport.write(chunks[0])
            elif size < JOIN_BELOW * len(chunks):
                transport.write(b"".join(chunks))
            else:
                transport.writelines(chunks)
            for stream_id in machine.drained():
                if stream := self._streams.get(stream_id):
                    stream.on_drained()
            for stream_id, over in machine.finished():
                if stream := self._streams.get(stream_id):
                    stream.on_end_sent()
                    if over:
                        self.on_stream_over(stream, None)
        if machine.failure is not None and self.error is None:
            self._end(ProtocolError(machine.failure), FAREWELL)

    def _end(self, error: YamuxError, linger: float) -> None:
        """End the session; the transport has `linger` seconds to send what it holds."""
        if self.error is not None:
            return
        self.error = error
        self._heartbeat.stop(str(error))
        for stream in list(self._streams.values()):
            self.on_stream_over(stream, SessionClosed(str(error)))
        self._wake_acceptors()
        self._open_slots.release()  # a waiting `open` finds the session closed, and passes the slot on
        if self._transport is None:
            return
        if linger:
            self._abort_timer = self.loop.call_later(linger, self._transport.abort)
            self._transport.close()
        else:
            self._transport.abort()

    def _wake_acceptors(self) -> None:
        for waiter in self._acceptors:
            if not waiter.done():
                waiter.set_result(None)

    def _release_slot(self, stream_id: int) -> None:
        if stream_id in self._unacknowledged:
            self._unacknowledged.discard(stream_id)
            self._open_slots.release()
