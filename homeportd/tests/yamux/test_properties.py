"""What holds for every byte stream and every order of commands."""

from __future__ import annotations

import itertools
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from homeportd.yamux.config import Config
from homeportd.yamux.errors import BufferFull
from homeportd.yamux.events import Data, Ended, Event, Failed, Finished, Opened, Reset
from homeportd.yamux.frames import DATA, GO_AWAY, INITIAL_WINDOW, PING, WINDOW_UPDATE, Header, Role, decode
from homeportd.yamux.machine import Machine

ids = st.sampled_from([0, 1, 2, 3, 5, 7, 0xFFFFFFFF])
lengths = st.sampled_from([0, 1, 7, 20, 0x40000, 0x40001, 0xFFFFFFFF])
flags = st.sampled_from([0, 1, 1, 1, 2, 4, 4, 8, 5, 15, 0x8000])


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """A frame, mostly one that a session could send."""
    kind = draw(st.sampled_from([DATA, DATA, WINDOW_UPDATE, WINDOW_UPDATE, PING, GO_AWAY]))
    stream_id = draw(ids) if kind <= WINDOW_UPDATE else 0
    if kind == DATA:
        payload = draw(st.binary(max_size=30))
        return Header(kind, draw(flags), stream_id, len(payload)).encode() + payload
    return Header(kind, draw(flags), stream_id, draw(lengths)).encode()


byte_streams = st.lists(st.one_of(frames(), frames(), frames(), st.binary(max_size=20)), max_size=12).map(
    b"".join
)


def told(events: list[Event]) -> list[Any]:
    """Events with payload copied, and neighbouring payload of one stream joined."""
    joined: list[Any] = []
    for event in events:
        if isinstance(event, Data):
            payload = bytes(event.payload)
            if joined and isinstance(joined[-1], Data) and joined[-1].stream_id == event.stream_id:
                payload = joined.pop().payload + payload
            joined.append(Data(event.stream_id, payload))  # type: ignore[arg-type]
        else:
            joined.append(event)
    return joined


@settings(max_examples=400, deadline=None)
@given(wire=byte_streams, cuts=st.lists(st.integers(0, 300), max_size=30), role=st.sampled_from(Role))
def test_fragments_change_nothing(wire: bytes, cuts: list[int], role: Role) -> None:
    whole = Machine(role)
    expected = told(whole.receive(wire))
    pieces = Machine(role)
    events: list[Event] = []
    edges = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    for start, end in itertools.pairwise(edges):
        # A part of a buffer that is used again, as the payload views must have been used by then.
        events.extend(told(pieces.receive(bytearray(wire[start:end]))))
    assert told(events) == expected
    assert b"".join(pieces.pull(1 << 20)) == b"".join(whole.pull(1 << 20))


@settings(max_examples=200, deadline=None)
@given(wire=byte_streams)
def test_one_byte_at_a_time(wire: bytes) -> None:
    whole, single = Machine(Role.SERVER), Machine(Role.SERVER)
    events: list[Event] = []
    for position in range(len(wire)):
        events.extend(told(single.receive(wire[position : position + 1])))
    assert told(events) == told(whole.receive(wire))


class Wire:
    """Bytes on their way to one side. Reads along, by its own count, and knows what the windows allow."""

    def __init__(self) -> None:
        self.pending = bytearray()
        self.unparsed = bytearray()
        self.sent: dict[int, int] = {}
        self.granted: dict[int, int] = {}  # to the other direction

    def put(self, data: bytes) -> None:
        self.pending += data
        self.unparsed += data
        while len(self.unparsed) >= 12:
            header = decode(self.unparsed)
            size = 12 + (header.length if header.kind == DATA else 0)
            assert len(self.unparsed) >= size, "frames are pulled whole"
            del self.unparsed[:size]
            if header.kind == DATA:
                self.sent[header.stream_id] = self.sent.get(header.stream_id, 0) + header.length
            elif header.kind == WINDOW_UPDATE:
                self.granted[header.stream_id] = self.granted.get(header.stream_id, 0) + header.length


class Side:
    """A machine and what its application knows."""

    def __init__(self, role: Role, config: Config) -> None:
        self.machine = Machine(role, config)
        self.machine.round_trip = 0.05
        self.written: dict[int, bytearray] = {}
        self.got: dict[int, bytearray] = {}
        self.unread: dict[int, int] = {}
        self.backlog: list[int] = []
        self.streams: set[int] = set()
        self.finished_here: set[int] = set()
        self.finished_there: set[int] = set()
        self.reset: set[int] = set()

    def take(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case Opened(stream_id):
                    self.backlog.append(stream_id)
                    self.join(stream_id)
                case Data(stream_id, payload):
                    assert stream_id not in self.finished_there
                    assert stream_id not in self.reset
                    self.got[stream_id] += payload
                    self.unread[stream_id] += len(payload)
                case Finished(stream_id):
                    assert stream_id not in self.finished_there
                    self.finished_there.add(stream_id)
                case Reset(stream_id, reason):
                    assert not reason
                    self.reset.add(stream_id)
                    if stream_id in self.backlog:
                        self.backlog.remove(stream_id)
                case Ended(stream_id):
                    assert stream_id in self.finished_here
                case Failed(reason):
                    raise AssertionError(reason)

    def join(self, stream_id: int) -> None:
        self.streams.add(stream_id)
        self.written[stream_id] = bytearray()
        self.got[stream_id] = bytearray()
        self.unread[stream_id] = 0


CONFIG = Config(
    accept_backlog=4,
    receive_window_max=INITIAL_WINDOW * 4,
    receive_budget=INITIAL_WINDOW * 4,
    max_frame=1 << 14,
    max_frame_alone=1 << 17,
    send_buffer=1 << 19,
    stream_send_buffer_max=1 << 18,
)
either = st.integers(0, 1)
any_stream = st.integers(0, 1 << 16)
sizes = st.sampled_from([0, 1, 13, 1000, 70_000, 300_000])


class TwoSides(RuleBasedStateMachine):
    """Two machines, a wire each way that delivers when and in what parts it likes, and two applications."""

    def __init__(self) -> None:
        super().__init__()
        self.sides = (Side(Role.CLIENT, CONFIG), Side(Role.SERVER, CONFIG))
        self.wires = (Wire(), Wire())  # to side 0, to side 1
        self.now = 0.0
        self.letter = 0

    def pick(self, side: Side, number: int) -> int | None:
        live = sorted(side.streams - side.reset)
        return live[number % len(live)] if live else None

    @rule(side=either)
    def open(self, side: int) -> None:
        if len(self.sides[side].streams) < 12:
            self.sides[side].join(self.sides[side].machine.open(self.now))

    @rule(side=either)
    def accept(self, side: int) -> None:
        if self.sides[side].backlog:
            self.sides[side].machine.accept(self.sides[side].backlog.pop(0))

    @rule(side=either, number=any_stream, size=sizes)
    def write(self, side: int, number: int, size: int) -> None:
        here = self.sides[side]
        stream_id = self.pick(here, number)
        if stream_id is None or stream_id in here.finished_here:
            return
        self.letter = (self.letter + 1) % 251
        data = bytes([self.letter]) * size
        try:
            here.machine.write(stream_id, data)
        except BufferFull:
            assert here.machine.throttled(stream_id)
        else:
            here.written[stream_id] += data

    @rule(side=either, number=any_stream)
    def finish(self, side: int, number: int) -> None:
        here = self.sides[side]
        stream_id = self.pick(here, number)
        if stream_id is not None:
            here.machine.finish(stream_id)
            here.finished_here.add(stream_id)

    @rule(side=either, number=any_stream, really=st.integers(0, 3))
    def reset(self, side: int, number: int, really: int) -> None:
        here = self.sides[side]
        stream_id = self.pick(here, number)
        if stream_id is not None and not really:
            here.machine.reset(stream_id)
            here.reset.add(stream_id)
            if stream_id in here.backlog:
                here.backlog.remove(stream_id)

    @rule(side=either, number=any_stream, size=sizes, later=st.sampled_from([0.0, 0.01, 1.0]))
    def consume(self, side: int, number: int, size: int, later: float) -> None:
        here = self.sides[side]
        self.now += later
        stream_id = self.pick(here, number)
        if stream_id is not None:
            size = min(size, here.unread[stream_id])
            here.unread[stream_id] -= size
            here.machine.consume(stream_id, size, self.now)

    @rule(side=either, budget=st.sampled_from([1, 5000, 1 << 20]))
    def pull(self, side: int, budget: int) -> None:
        self.wires[1 - side].put(b"".join(self.sides[side].machine.pull(budget)))

    @rule(side=either, size=st.sampled_from([1, 11, 12, 13, 5000, 1 << 20]))
    def deliver(self, side: int, size: int) -> None:
        pending = self.wires[side].pending
        part = bytes(pending[:size])
        del pending[:size]
        self.sides[side].take(self.sides[side].machine.receive(part, self.now))

    @rule(side=either)
    def ping(self, side: int) -> None:
        self.sides[side].machine.ping(7)

    @invariant()
    def windows_are_kept(self) -> None:
        for side, wire in zip(self.sides, self.wires, strict=True):  # the wire to a side, what it was granted
            back = self.wires[1 - self.sides.index(side)]
            for stream_id, size in wire.sent.items():
                assert size <= INITIAL_WINDOW + back.granted.get(stream_id, 0)

    @invariant()
    def memory_is_bounded(self) -> None:
        for side in self.sides:
            flows = side.machine._flows.values()
            assert sum(flow.window for flow in flows) <= len(flows) * INITIAL_WINDOW + CONFIG.receive_budget
            assert side.machine._held == sum(flow.held for flow in flows)
            assert side.machine._grown == sum(flow.window - INITIAL_WINDOW for flow in flows)
            for flow in flows:
                assert 0 <= flow.held + flow.credit <= flow.window <= CONFIG.receive_window_max
                assert flow.unsent == sum(map(len, flow.queue)) <= 4 * CONFIG.stream_send_buffer_max + 300_000

    @precondition(lambda self: any(side.streams for side in self.sides))
    @rule(chance=st.integers(0, 9))
    def settle(self, chance: int) -> None:
        """Let everything through, and compare what was written with what arrived."""
        if chance:
            return
        for _ in range(400):
            for side in (0, 1):
                here = self.sides[side]
                self.pull(side, 1 << 20)
                self.deliver(side, 1 << 24)
                while here.backlog:
                    self.accept(side)
                for stream_id, size in here.unread.items():
                    here.unread[stream_id] = 0
                    here.machine.consume(stream_id, size, self.now)
            if not any(side.machine.wants_to_send for side in self.sides) and not any(
                wire.pending for wire in self.wires
            ):
                break
        else:
            raise AssertionError("it does not come to rest")
        reset = self.sides[0].reset | self.sides[1].reset
        for here, there in (self.sides, self.sides[::-1]):
            for stream_id in here.streams - reset:
                assert there.got[stream_id] == here.written[stream_id]
                assert (stream_id in here.finished_here) == (stream_id in there.finished_there)
            for stream_id in here.streams & there.streams & reset:
                assert here.written[stream_id].startswith(there.got[stream_id])
        both = self.sides[0].finished_here & self.sides[1].finished_here
        gone = reset | both
        for side in self.sides:
            assert set(side.machine._flows) == side.streams - gone

    def teardown(self) -> None:
        self.settle(0)


TestTwoSides = TwoSides.TestCase
TestTwoSides.settings = settings(
    max_examples=200, stateful_step_count=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
