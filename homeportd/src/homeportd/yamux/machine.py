"""The yamux session as a state machine: bytes in give events, commands and `pull` give bytes out. No I/O.

Nothing is queued for a peer that does not read, beyond what `Config` allows: window updates are made when
output is pulled, answers are counted, and payload waits in its stream, whose writer has to wait.
"""

from __future__ import annotations

from homeportd.token_bucket import TokenBucket
from homeportd.yamux.config import Config
from homeportd.yamux.errors import BufferFull, ProtocolError, SessionClosed, StreamClosed, TooManyStreams
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
from homeportd.yamux.flow import Chunk, Flow
from homeportd.yamux.frames import (
    ACK,
    DATA,
    FIN,
    GO_AWAY,
    HEADER_SIZE,
    MAX_U32,
    PING,
    RST,
    SESSION_ID,
    SYN,
    WINDOW_UPDATE,
    Code,
    Header,
    Role,
    decode,
)
from homeportd.yamux.outbox import Outbox

OVERRUN = 4  # a writer that ignores `drain` is stopped at so many times its share of the send buffer
GROW_WITHIN_ROUND_TRIPS = 2  # half of a window consumed so soon: the peer waited for the update, so it grows
GROW_WITHIN = 0.003  # or in so many seconds, if they are more: a near peer may wait for its processor, too


class Machine:
    """One side of a session. Not thread safe. `now` is any monotonic clock, in seconds."""

    def __init__(self, role: Role, config: Config | None = None) -> None:
        self.role = role
        self.config = config or Config()
        self.failure: str | None = None  # why this side gave the session up
        self.peer_gone_away: int | None = None  # the peer's go-away code
        self.gone_away = False
        self.round_trip: float | None = None  # seconds; set by the owner, who has the clock
        self._flows: dict[int, Flow] = {}
        self._next_id = int(role)
        self._peer_highest_id = 0
        self._inbound = 0
        self._backlog = 0
        self._held = 0  # received and not consumed, of all live streams
        self._grown = 0  # how much windows have grown together
        self._outbox = Outbox(self.config)
        self._finished: list[tuple[int, bool]] = []
        self._idle_frames = TokenBucket(self.config.idle_frames_burst, self.config.idle_frames_rate)
        # Parser: part of a header, or the rest of a payload and the stream it belongs to.
        self._partial = bytearray()
        self._body = 0
        self._body_of: Flow | None = None
        self._body_ends = False

    # Commands

    @property
    def live(self) -> int:
        """Streams that have not ended in both directions."""
        return len(self._flows)

    def open(self, now: float = 0.0) -> int:
        """Open a stream and return its id. Raises `SessionClosed`, `TooManyStreams`."""
        self._usable()
        if self.peer_gone_away is not None:
            raise SessionClosed("the peer takes no new streams")
        if len(self._flows) - self._inbound >= self.config.max_streams:
            raise TooManyStreams(f"{self.config.max_streams} streams are open")
        if self._held >= self.config.max_unread:
            raise TooManyStreams(f"{self._held} bytes of other streams are unread")
        if self._next_id > MAX_U32:
            raise TooManyStreams("all stream ids are used up; a new session is needed")
        flow = Flow(self._next_id, inbound=False, window=self.config.receive_window, now=now)
        self._next_id += 2
        self._flows[flow.stream_id] = flow
        self._outbox.update(flow)
        return flow.stream_id

    def accept(self, stream_id: int) -> None:
        """Accept a stream the peer opened. Nothing happens if it is accepted already, or over."""
        flow = self._flows.get(stream_id)
        if flow is None or flow.accepted:
            return
        flow.accepted = True
        flow.due = ACK
        self._backlog -= 1
        self._outbox.update(flow)

    def write(self, stream_id: int, data: Chunk) -> bool:
        """Queue bytes, which must not change afterwards. False: wait until `drained` names the stream.

        Raises `StreamClosed` when the stream is over for writing, `BufferFull` when the writer did not wait.
        """
        flow = self._flows.get(stream_id)
        if flow is None or flow.finishing:
            raise StreamClosed(f"stream {stream_id} is closed for writing")
        if not data:
            return not flow.throttled
        share = self._share()
        if flow.unsent >= OVERRUN * share:
            raise BufferFull(f"{flow.unsent} bytes of stream {stream_id} are unsent: drain() between writes")
        flow.queue.append(data)
        flow.unsent += len(data)
        if flow.unsent > share:
            flow.throttled = True
        self._outbox.schedule(flow)
        return not flow.throttled

    def finish(self, stream_id: int) -> None:
        """Announce the end of what this side sends, after all that was written. Harmless twice."""
        flow = self._flows.get(stream_id)
        if flow is not None and not flow.finishing:
            flow.finishing = True
            self._outbox.schedule(flow)

    def reset(self, stream_id: int) -> None:
        """End a stream abruptly; unsent bytes are dropped."""
        flow = self._flows.get(stream_id)
        if flow is None:
            return
        self._forget(flow)
        if flow.due != SYN:  # else the peer never heard of it
            self._reply(Header(WINDOW_UPDATE, RST, stream_id, 0))

    def consume(self, stream_id: int, size: int, now: float = 0.0) -> bool:
        """Tell that `size` received bytes were used: the peer may send more. Whether output became due."""
        flow = self._flows.get(stream_id)
        if flow is None:
            return False
        size = min(size, flow.held)  # the rest was of an earlier stream with this id
        flow.held -= size
        self._held -= size
        grant = flow.grant
        if 2 * grant < flow.window or not self._outbox.update(flow):
            return False
        self._grow(flow, now)
        flow.granted_at = now
        return True

    def ping(self, value: int) -> None:
        """Ask the peer for a `Pong` with this 32-bit value."""
        self._usable()
        self._reply(Header(PING, SYN, SESSION_ID, value))

    def go_away(self, code: Code = Code.NORMAL) -> None:
        """Tell the peer that new streams are no longer accepted (NORMAL), or that the session is over."""
        if self.failure is None and not (self.gone_away and code == Code.NORMAL):
            self.gone_away = True
            self._outbox.put(Header(GO_AWAY, 0, SESSION_ID, code))

    def throttled(self, stream_id: int) -> bool:
        """Whether the stream's writer should wait until `drained` names it."""
        return stream_id in self._flows and self._flows[stream_id].throttled

    # Output

    @property
    def wants_to_send(self) -> bool:
        """Whether `pull` would give something."""
        return bool(self._outbox)

    def pull(self, budget: int) -> list[Chunk]:
        """Chunks to send now, in order: all due frames without payload, then about `budget` bytes of it."""
        chunks, finished = self._outbox.pull(budget, self._share())
        for flow in finished:
            self._finished.append((flow.stream_id, flow.fin_received))
            if flow.fin_received:
                self._forget(flow)
        return chunks

    def drained(self) -> list[int]:
        """Streams whose writers may go on, since the last call."""
        return self._outbox.drained()

    def finished(self) -> list[tuple[int, bool]]:
        """Streams whose end `pull` gave out since the last call, and whether that ended both directions."""
        finished, self._finished = self._finished, []
        return finished

    # Input

    def receive(self, data: bytes | bytearray | memoryview, now: float = 0.0) -> list[Event]:
        """Take the next bytes from the peer, in any fragmentation. After a failure everything is ignored."""
        if self.failure is not None:
            return []
        view = memoryview(data)
        events: list[Event] = []
        position, end = 0, len(view)
        try:
            while position < end and self.failure is None:
                if self._body:
                    size = min(self._body, end - position)
                    self._take_payload(view[position : position + size], events)
                    position += size
                elif self._partial or end - position < HEADER_SIZE:
                    size = min(HEADER_SIZE - len(self._partial), end - position)
                    self._partial += view[position : position + size]
                    position += size
                    if len(self._partial) == HEADER_SIZE:
                        header = decode(self._partial)
                        self._partial.clear()
                        self._take_header(header, events, now)
                else:
                    header = decode(view, position)
                    position += HEADER_SIZE
                    self._take_header(header, events, now)
        except ProtocolError as error:
            self._fail(str(error))
        if self.failure is not None:
            events.append(Failed(self.failure))
        return events

    def _take_payload(self, payload: memoryview, events: list[Event]) -> None:
        flow = self._body_of
        self._body -= len(payload)
        if flow is None or self._flows.get(flow.stream_id) is not flow:
            return  # reset on this side meanwhile: what was on its way is dropped
        events.append(Data(flow.stream_id, payload))
        if self._body_ends and not self._body:
            self._take_end(flow, events)

    def _take_header(self, header: Header, events: list[Event], now: float) -> None:
        kind, flags, stream_id, length = header
        if kind == PING:
            self._take_ping(flags, length, events, now)
            return
        if kind == GO_AWAY:
            self.peer_gone_away = length
            self._idle(now)
            events.append(WentAway(length))
            return
        if flags & SYN:
            self._take_open(stream_id, flags, events, now)
        flow = self._flows.get(stream_id)
        self._body, self._body_of, self._body_ends = (length if kind == DATA else 0), flow, False
        if self._body > self.config.receive_window_max:
            raise ProtocolError(f"{length} bytes on stream {stream_id}, more than any window here")
        if flow is None:
            self._take_stray(stream_id, now)
            return
        if flags & RST:
            self._idle(now)
            self._forget(flow)
            events.append(Reset(stream_id, ""))
            return
        if not flow.acknowledged:  # some implementations answer with data and leave the ACK flag out
            flow.acknowledged = True
            events.append(Acknowledged(stream_id))
        if kind == DATA:
            self._take_data(flow, flags, length, events, now)
        else:
            self._take_update(flow, flags, length, events, now)

    def _take_open(self, stream_id: int, flags: int, events: list[Event], now: float) -> None:
        if stream_id % 2 == self.role % 2:
            raise ProtocolError(f"the peer opened stream {stream_id}, whose number is not its to use")
        if stream_id in self._flows:
            raise ProtocolError(f"the peer opened stream {stream_id} twice")
        self._peer_highest_id = max(self._peer_highest_id, stream_id)
        if flags & RST:
            self._idle(now)
            return
        config = self.config
        full = self._inbound >= config.max_streams or self._backlog >= config.accept_backlog
        if full or self.gone_away or self._held >= config.max_unread:
            self._idle(now)
            self._reply(Header(WINDOW_UPDATE, RST, stream_id, 0))
            return
        flow = Flow(stream_id, inbound=True, window=config.receive_window, now=now)
        self._flows[stream_id] = flow
        self._inbound += 1
        self._backlog += 1
        events.append(Opened(stream_id))

    def _take_stray(self, stream_id: int, now: float) -> None:
        """A frame of a stream that is over is dropped: it was on its way. One that never was is an error."""
        if not self._body:
            self._idle(now)
        own = stream_id % 2 == self.role % 2
        if stream_id >= self._next_id if own else stream_id > self._peer_highest_id:
            raise ProtocolError(f"a frame for stream {stream_id}, which was never opened")

    def _take_data(self, flow: Flow, flags: int, length: int, events: list[Event], now: float) -> None:
        if length > flow.credit:
            raise ProtocolError(
                f"{length} bytes on stream {flow.stream_id}, whose window has room for {flow.credit}"
            )
        if flow.fin_received:
            self._idle(now)
            self.reset(flow.stream_id)
            events.append(Reset(flow.stream_id, "the peer sent data after its end"))
            return
        if length:
            flow.credit -= length
            flow.held += length
            self._held += length
            self._body_ends = bool(flags & FIN)
        elif flags & FIN:
            self._take_end(flow, events)
        elif not flags:
            self._idle(now)

    def _take_update(self, flow: Flow, flags: int, length: int, events: list[Event], now: float) -> None:
        if flow.send_window + length > MAX_U32:
            raise ProtocolError(f"the window of stream {flow.stream_id} overflows 32 bits")
        if length:
            flow.send_window += length
            self._outbox.schedule(flow)
        elif not flags:
            self._idle(now)
        if flags & FIN:
            self._take_end(flow, events)

    def _take_end(self, flow: Flow, events: list[Event]) -> None:
        if not flow.fin_received:
            flow.fin_received = True
            events.append(Finished(flow.stream_id))
            if flow.fin_sent:
                self._forget(flow)
                events.append(Ended(flow.stream_id))

    def _take_ping(self, flags: int, value: int, events: list[Event], now: float) -> None:
        self._idle(now)
        if flags & SYN:
            self._reply(Header(PING, ACK, SESSION_ID, value))
        elif flags & ACK:
            events.append(Pong(value))
        else:
            raise ProtocolError("a ping that is neither question nor answer")

    # Bookkeeping

    def _usable(self) -> None:
        if self.failure is not None:
            raise SessionClosed(self.failure)

    def _fail(self, reason: str) -> None:
        self.failure = reason
        self._flows.clear()
        self._held = 0
        self._outbox.clear()
        self._outbox.put(Header(GO_AWAY, 0, SESSION_ID, Code.PROTOCOL_ERROR))

    def _reply(self, header: Header) -> None:
        if self.failure is not None:
            return
        # One for each stream that may live: all of them may be reset at once, which is nothing of the peer's.
        if self._outbox.waiting < self.config.max_replies + 2 * self.config.max_streams:
            self._outbox.put(header)
        else:
            self._fail("the peer goes on asking and does not read the answers")

    def _idle(self, now: float) -> None:
        if not self._idle_frames.take(now):
            raise ProtocolError("a flood of frames that move nothing")

    def _share(self) -> int:
        """A stream's part of the send buffer, in bytes."""
        config = self.config
        share = config.send_buffer // (len(self._flows) or 1)
        return max(config.stream_send_buffer_min, min(config.stream_send_buffer_max, share))

    def _grow(self, flow: Flow, now: float) -> None:
        trip = self.round_trip
        if trip is None or now - flow.granted_at > max(GROW_WITHIN, GROW_WITHIN_ROUND_TRIPS * trip):
            return
        room = min(self.config.receive_window_max - flow.window, self.config.receive_budget - self._grown)
        growth = max(0, min(flow.window, room))
        flow.window += growth
        self._grown += growth

    def _forget(self, flow: Flow) -> None:
        del self._flows[flow.stream_id]
        self._held -= flow.held
        self._grown -= flow.window - self.config.receive_window
        if flow.inbound:
            self._inbound -= 1
            if not flow.accepted:
                self._backlog -= 1
        self._outbox.drop(flow)
