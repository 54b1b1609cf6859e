"""A stream of a session, for asyncio: read, write, drain, half-close, reset; or callbacks to a `Sink`."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import Final, Protocol, Self

from homeportd.yamux.config import Config
from homeportd.yamux.errors import StreamClosed, StreamReset, YamuxError
from homeportd.yamux.machine import Machine

READ_SIZE: Final = 256 * 1024  # bytes; the most one `read` returns by default
LINE_LIMIT: Final = 64 * 1024  # bytes; the longest line `readline` takes by default
# Received chunks below this are gathered: a window full of one-byte frames shall not be as many objects.
GATHER_BELOW: Final = 4096
GATHER_UP_TO: Final = 64 * 1024


class Sink(Protocol):
    """Takes what a stream receives by callback, which is faster than `read` in a task. Must not raise."""

    def received(self, data: bytes) -> None:
        """More bytes. Call `Stream.consumed` when they are used: the peer's window opens by that alone."""

    def finished(self) -> None:
        """The peer sends no more."""

    def drained(self) -> None:
        """Writing may go on, after `Stream.write` returned False."""

    def ended(self, error: YamuxError | None) -> None:
        """The stream ended: in both directions (None), by a reset, or with its session. The last call."""


class StreamOwner(Protocol):
    """The session of a stream, as far as its streams need it: `yamux.aio.Session` is one."""

    machine: Machine
    config: Config
    loop: asyncio.AbstractEventLoop
    unread: int  # bytes received and not consumed, of all streams

    def schedule_flush(self) -> None:
        """Send what the machine has to send, in this turn of the loop."""

    def on_consumed(self, stream: Stream, size: int) -> None:
        """The reader of a stream used `size` bytes."""

    def on_dropped(self, size: int) -> None:
        """`size` unread bytes are held no longer."""

    def on_stream_over(self, stream: Stream, error: YamuxError | None) -> None:
        """A stream ended, in good order (None) or not."""


class Stream:
    """One stream. Made by `Session.open` and `Session.accept`; the caller must close or reset it.

    As a context manager it is closed at the end, and reset when the block raised.
    """

    def __init__(self, session: StreamOwner, stream_id: int) -> None:
        self.session = session
        self.id = stream_id
        self.bytes_received = 0  # payload, as it arrived
        self.bytes_sent = 0  # payload, as it was written
        self._machine = session.machine
        self._loop = session.loop
        self._chunks: deque[bytes | bytearray | memoryview] = deque()
        self._held = 0  # received and not consumed
        self._eof = False
        self._closing = False
        self._end_sent = False
        self._over = False
        self._error: YamuxError | None = None
        self._sink: Sink | None = None
        self._reader: asyncio.Future[None] | None = None
        self._writers: list[asyncio.Future[None]] = []
        self._closers: list[asyncio.Future[None]] = []
        self._close_timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        state = "over" if self._over else "closing" if self._closing else "open"
        return f"<Stream {self.id} {state} received={self.bytes_received} sent={self.bytes_sent}>"

    # Reading

    async def read(self, limit: int = READ_SIZE) -> bytes:
        """Return what has arrived, at least one and at most `limit` bytes, or b"" at the end of the stream.

        Raises `StreamReset`, or `SessionClosed` when the session ended before the stream did; not before
        all that had arrived is read.
        """
        if not await self._readable():
            return b""
        chunk = self._chunks.popleft()
        if len(chunk) > limit:
            view = memoryview(chunk)
            self._chunks.appendleft(view[limit:])
            chunk = view[:limit]
        self.consumed(len(chunk))
        return bytes(chunk)

    async def readexactly(self, size: int) -> bytes:
        """Return exactly `size` bytes. Raises `asyncio.IncompleteReadError`, and as `read`."""
        parts: list[bytes] = []
        missing = size
        while missing:
            part = await self.read(missing)
            if not part:
                raise asyncio.IncompleteReadError(b"".join(parts), size)
            parts.append(part)
            missing -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def readline(self, limit: int = LINE_LIMIT) -> bytes:
        """Return a line with its newline; at the end, what is left. Raises `ValueError` over `limit`."""
        line = bytearray()
        while len(line) <= limit and await self._readable():
            ahead = bytes(memoryview(self._chunks[0])[: limit + 1 - len(line)])
            cut = ahead.find(b"\n") + 1
            line += await self.read(cut or len(ahead))
            if cut:
                return bytes(line)
        if len(line) > limit:
            raise ValueError(f"a line of more than {limit} bytes on stream {self.id}")
        return bytes(line)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if data := await self.read():
            return data
        raise StopAsyncIteration

    def attach(self, sink: Sink) -> None:
        """Hand over everything that is and will be received to `sink`; `read` is not to be used any more."""
        if self._sink is not None or self._reader is not None:
            raise RuntimeError(f"stream {self.id} is being read already")
        self._sink = sink
        while self._chunks:
            sink.received(bytes(self._chunks.popleft()))
        if self._eof:
            sink.finished()
        if self._over:
            sink.ended(self._error)

    def consumed(self, size: int) -> None:
        """Tell, as a sink, that `size` received bytes were used."""
        size = min(size, self._held)
        self._held -= size
        self.session.on_consumed(self, size)

    # Writing

    def write(self, data: bytes | bytearray | memoryview) -> bool:
        """Queue bytes to be sent. False: `drain` (or wait for `Sink.drained`) before the next write.

        `bytes` are sent without a copy. Raises `StreamReset`, `SessionClosed` or `StreamClosed` when the
        stream is over or finished, and `BufferFull` when many writes went on in spite of the result False.
        """
        if self._error is not None:
            raise self._error
        if self._closing:
            raise StreamClosed(f"stream {self.id} was closed here")
        more = self._machine.write(self.id, data if type(data) is bytes else bytes(data))
        self.bytes_sent += len(data)
        self.session.schedule_flush()
        return more

    async def drain(self) -> None:
        """Wait until so much of what was written has left that more is welcome. Raises as `write`."""
        while self._error is None and self._machine.throttled(self.id):
            await self._wait(self._writers)
        if self._error is not None:
            raise self._error

    def write_eof(self) -> None:
        """Announce the end of what is sent, after all that was written. Reading goes on."""
        if not self._over:
            self._machine.finish(self.id)
            self.session.schedule_flush()

    # Ending

    def close(self) -> None:
        """End the stream in good order: what was written is sent, what still arrives is dropped.

        A peer that does not end its side within `Config.close_timeout` has the stream reset.
        """
        if self._closing or self._over:
            self._drop_unread()
            return
        self._closing = True
        self._drop_unread()
        self._wake_reader()
        self._machine.finish(self.id)
        self._close_timer = self._loop.call_later(self.session.config.close_timeout, self.reset)
        self.session.schedule_flush()

    def reset(self) -> None:
        """End the stream abruptly, both ways, also for the peer. Harmless when it is over."""
        self._drop_unread()
        if not self._over:
            self._machine.reset(self.id)
            self.session.on_stream_over(self, StreamReset(f"stream {self.id} was reset here"))
            self.session.schedule_flush()

    async def wait_closed(self) -> None:
        """Wait until the stream has ended in both directions, was reset, or its session is gone."""
        if not self._over:
            await self._wait(self._closers)

    async def wait_sent(self) -> None:
        """Wait, after `write_eof` or `close`, until the transport has everything, or the stream is over."""
        while not self._over and not self._end_sent:
            await self._wait(self._writers)

    @property
    def is_closing(self) -> bool:
        """Whether `close` was called."""
        return self._closing

    @property
    def is_over(self) -> bool:
        """Whether the stream has ended in both directions, was reset, or its session is gone."""
        return self._over

    @property
    def error(self) -> YamuxError | None:
        """Why the stream ended, if not in good order."""
        return self._error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.reset()
            return
        self.close()

    # Called by the session

    def on_data(self, payload: memoryview) -> None:
        size = len(payload)
        self.bytes_received += size
        if self._closing:
            return  # unconsumed: the peer's window stays shut
        self._held += size
        self.session.unread += size
        if self._sink is not None:
            self._sink.received(bytes(payload))
            return
        chunks = self._chunks
        if size >= GATHER_BELOW:
            chunks.append(bytes(payload))
        else:
            tail = chunks[-1] if chunks else None
            if isinstance(tail, bytearray) and len(tail) < GATHER_UP_TO:
                tail += payload
            else:
                chunks.append(bytearray(payload))
        self._wake_reader()

    def on_finished(self) -> None:
        self._eof = True
        if self._sink is not None:
            self._sink.finished()
        else:
            self._wake_reader()

    def on_drained(self) -> None:
        if self._sink is not None:
            self._sink.drained()
        self._wake(self._writers)

    def on_end_sent(self) -> None:
        self._end_sent = True
        self._wake(self._writers)

    def on_over(self, error: YamuxError | None) -> None:
        self._over = True
        self._error = error
        if self._close_timer is not None:
            self._close_timer.cancel()
            self._close_timer = None
        if self._sink is not None:
            self._sink.ended(error)
        self._wake_reader()
        self._wake(self._writers)
        self._wake(self._closers)

    # Waiting

    async def _readable(self) -> bool:
        """Wait for bytes; False at the end of the stream."""
        while not self._chunks:
            if self._error is not None:
                raise self._error
            if self._eof:
                return False
            if self._closing:
                raise StreamClosed(f"stream {self.id} was closed here")
            if self._reader is not None or self._sink is not None:
                raise RuntimeError(f"stream {self.id} is being read already")
            self._reader = self._loop.create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        return True

    def _wake_reader(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def _wait(self, waiters: list[asyncio.Future[None]]) -> None:
        waiter = self._loop.create_future()
        waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in waiters:
                waiters.remove(waiter)

    @staticmethod
    def _wake(waiters: list[asyncio.Future[None]]) -> None:
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
        waiters.clear()

    def _drop_unread(self) -> None:
        self._chunks.clear()
        held, self._held = self._held, 0
        self.session.on_dropped(held)
