"""The state machine, by the bytes it gives and takes."""

from __future__ import annotations

import pytest

from homeportd.yamux.config import KIB, MIB, Config
from homeportd.yamux.errors import BufferFull, SessionClosed, StreamClosed, TooManyStreams
from homeportd.yamux.events import Acknowledged, Data, Ended, Event, Finished, Opened, Pong, Reset, WentAway
from homeportd.yamux.frames import (
    ACK,
    DATA,
    FIN,
    GO_AWAY,
    INITIAL_WINDOW,
    PING,
    RST,
    SYN,
    WINDOW_UPDATE,
    Code,
    Header,
    Role,
    decode,
)
from homeportd.yamux.machine import Machine


def sent(machine: Machine, budget: int = 64 * MIB) -> bytes:
    return b"".join(machine.pull(budget))


def headers(wire: bytes) -> list[Header]:
    """The frame headers in `wire`, which holds whole frames."""
    found, position = [], 0
    while position < len(wire):
        header = decode(wire, position)
        found.append(header)
        position += 12 + (header.length if header.kind == DATA else 0)
    assert position == len(wire)
    return found


def exchange(a: Machine, b: Machine) -> tuple[list[Event], list[Event]]:
    """Carry bytes both ways until both are silent; what each was told. Payload is copied."""
    told: tuple[list[Event], list[Event]] = ([], [])
    while a.wants_to_send or b.wants_to_send:
        told[1].extend(b.receive(sent(a)))
        told[0].extend(a.receive(sent(b)))
    return told


def pair(client: Config | None = None, server: Config | None = None) -> tuple[Machine, Machine]:
    return Machine(Role.CLIENT, client), Machine(Role.SERVER, server)


def opened(client: Config | None = None, server: Config | None = None) -> tuple[Machine, Machine, int]:
    a, b = pair(client, server)
    stream_id = a.open()
    exchange(a, b)
    b.accept(stream_id)
    exchange(a, b)
    return a, b, stream_id


def test_open_accept_write_finish() -> None:
    client, server = pair()
    assert client.open() == 1
    assert client.open() == 3
    assert server.open() == 2
    client.write(1, b"hello")
    client.finish(1)
    wire = sent(client)
    assert (
        wire
        == bytes.fromhex(
            "00 01 0001 00000001 00000000"  # window update, SYN
            "00 01 0001 00000003 00000000"
            "00 00 0000 00000001 00000005"  # data
        )
        + b"hello"
        # FIN alone: hashicorp's loses data that come with it, now and then.
        + bytes.fromhex("00 00 0004 00000001 00000000")
    )
    assert server.receive(wire) == [Opened(1), Opened(3), Data(1, memoryview(b"hello")), Finished(1)]
    server.accept(1)
    server.accept(1)
    server.accept(99)
    server.finish(1)
    wire = sent(server)
    assert headers(wire) == [
        Header(WINDOW_UPDATE, SYN, 2, 0),
        Header(WINDOW_UPDATE, ACK, 1, 0),
        Header(DATA, FIN, 1, 0),
    ]
    assert server.finished() == [(1, True)]
    assert client.receive(wire) == [Opened(2), Acknowledged(1), Finished(1), Ended(1)]
    assert (client.live, server.live) == (2, 2)


def test_a_larger_window_is_told_with_syn_and_ack() -> None:
    config = Config(receive_window=MIB)
    a, b = pair(config, config)
    a.open()
    wire = sent(a)
    assert headers(wire) == [Header(WINDOW_UPDATE, SYN, 1, MIB - INITIAL_WINDOW)]
    b.receive(wire)
    b.accept(1)
    assert headers(sent(b)) == [Header(WINDOW_UPDATE, ACK, 1, MIB - INITIAL_WINDOW)]
    b.write(1, bytes(2 * MIB))
    assert sum(h.length for h in headers(sent(b))) == MIB


def test_the_window_stops_the_sender_and_is_renewed_at_half() -> None:
    a, b, stream = opened()
    a.write(stream, bytes(INITIAL_WINDOW + 100))
    wire = sent(a)
    assert sum(h.length for h in headers(wire)) == INITIAL_WINDOW
    assert not a.wants_to_send
    b.receive(wire)
    assert not b.consume(stream, INITIAL_WINDOW // 2 - 1)
    assert not b.wants_to_send
    assert b.consume(stream, 1)
    assert headers(sent(b)) == [Header(WINDOW_UPDATE, 0, stream, INITIAL_WINDOW // 2)]
    a.receive(Header(WINDOW_UPDATE, 0, stream, 10).encode())
    assert headers(sent(a)) == [Header(DATA, 0, stream, 10)]
    a.receive(Header(WINDOW_UPDATE, 0, stream, INITIAL_WINDOW).encode())
    assert headers(sent(a)) == [Header(DATA, 0, stream, 90)]


def test_a_window_grows_only_while_the_peer_waits_and_within_the_budget() -> None:
    config = Config(receive_window_max=MIB, receive_budget=MIB)
    _, b, stream = opened(server=config)
    b.round_trip = 0.010
    now, granted = 0.0, []
    for took in (0.015, 0.5, 0.015, 0.015, 0.015):  # seconds for half a window
        now += took
        half = (INITIAL_WINDOW if not granted else granted[-1][1]) // 2
        b.receive(Header(DATA, 0, stream, half).encode() + bytes(half), now)
        b.consume(stream, half, now)
        (update,) = headers(sent(b))
        granted.append((update.length - half, half * 2 + update.length - half))
    assert [grown for grown, _ in granted] == [256 * KIB, 0, 512 * KIB, 0, 0]
    _, b, stream = opened(server=config)
    b.round_trip = 0.0001  # a peer so near may still have had to wait for its processor
    half = INITIAL_WINDOW // 2
    b.receive(Header(DATA, 0, stream, half).encode() + bytes(half), 0.002)
    b.consume(stream, half, 0.002)
    assert headers(sent(b)) == [Header(WINDOW_UPDATE, 0, stream, half + INITIAL_WINDOW)]
    other = Config(receive_window_max=MIB, receive_budget=0)
    _a, b, stream = opened(server=other)
    b.round_trip = 1.0
    half = INITIAL_WINDOW // 2
    b.receive(Header(DATA, 0, stream, half).encode() + bytes(half), 0.1)
    b.consume(stream, half, 0.1)
    assert headers(sent(b)) == [Header(WINDOW_UPDATE, 0, stream, half)]


def test_streams_take_turns_and_one_alone_sends_large_frames() -> None:
    config = Config(max_frame=1000, max_frame_alone=100_000)
    a, _b, first = opened(config)
    second = a.open()
    a.write(first, bytes(200_000))
    a.write(second, b"x" * 1500)
    order = [(h.stream_id, h.length) for h in headers(sent(a)) if h.kind == DATA]
    assert order == [(1, 1000), (3, 1000), (1, 1000), (3, 500), (1, 100_000), (1, 98_000)]


def test_small_writes_share_a_frame_and_a_budget_ends_a_pull() -> None:
    a, _b, stream = opened()
    for part in (b"a", b"bc", b"def"):
        a.write(stream, part)
    wire = sent(a)
    assert headers(wire) == [Header(DATA, 0, stream, 6)]
    assert wire.endswith(b"abcdef")
    a.write(stream, bytes(MIB))
    a.open()
    a.open()
    assert [h.kind for h in headers(sent(a, 1))] == [WINDOW_UPDATE, WINDOW_UPDATE, DATA]


def test_writers_are_told_to_wait_and_then_stopped() -> None:
    config = Config(stream_send_buffer_max=1000, stream_send_buffer_min=100, send_buffer=10_000)
    a, _b, stream = opened(config)
    assert a.write(stream, bytes(1000))
    assert not a.write(stream, bytes(1))
    assert a.throttled(stream)
    a.write(stream, bytes(2999))
    with pytest.raises(BufferFull, match="4000 bytes"):
        a.write(stream, b"x")
    assert not a.write(stream, b"")
    sent(a)
    assert a.drained() == [stream]
    assert a.drained() == []
    assert a.write(stream, bytes(1000))
    others = [a.open() for _ in range(49)]
    assert a.write(others[0], bytes(200))  # 10,000 bytes among 50
    assert not a.write(others[1], bytes(201))


def test_commands_on_a_stream_that_is_over() -> None:
    a, _b, stream = opened()
    a.finish(stream)
    a.finish(stream)
    with pytest.raises(StreamClosed):
        a.write(stream, b"x")
    a.reset(stream)
    a.reset(stream)
    a.finish(stream)
    assert not a.consume(stream, 1)
    assert not a.throttled(stream)
    with pytest.raises(StreamClosed):
        a.write(stream, b"x")
    assert headers(sent(a)) == [Header(WINDOW_UPDATE, RST, stream, 0)]


def test_a_reset_drops_what_is_unsent_and_what_arrives_late() -> None:
    a, b, stream = opened()
    a.write(stream, b"never sent")
    a.reset(stream)
    wire = sent(a)
    assert headers(wire) == [Header(WINDOW_UPDATE, RST, stream, 0)]
    b.write(stream, b"on its way")
    assert a.receive(sent(b)) == []
    assert b.receive(wire) == [Reset(stream, "")]
    assert a.failure is None
    assert b.live == a.live == 0


@pytest.mark.parametrize("opener", [True, False])
def test_all_streams_may_be_reset_at_once(opener: bool) -> None:
    crowd = Config(max_streams=2 * Config().max_replies, accept_backlog=2 * Config().max_replies)
    a, b = pair(crowd, crowd)
    ids = [a.open() for _ in range(crowd.max_streams)]
    exchange(a, b)
    for stream_id in ids:
        (a if opener else b).reset(stream_id)
    exchange(a, b)
    assert (a.failure, b.failure, a.live, b.live) == (None, None, 0, 0)


def test_a_reset_in_the_middle_of_a_payload() -> None:
    a, b, stream = opened()
    a.write(stream, b"abcdef")
    wire = sent(a)
    assert b.receive(wire[:15]) == [Data(stream, memoryview(b"abc"))]
    b.reset(stream)
    assert b.receive(wire[15:]) == []
    assert b.failure is None


def test_a_stream_reset_before_it_was_announced_is_never_mentioned() -> None:
    a, _ = pair()
    stream = a.open()
    a.write(stream, b"x")
    a.reset(stream)
    assert not a.wants_to_send


def test_ping() -> None:
    a, b = pair()
    a.ping(7)
    wire = sent(a)
    assert headers(wire) == [Header(PING, SYN, 0, 7)]
    assert b.receive(wire) == []
    assert a.receive(sent(b)) == [Pong(7)]


def test_go_away_refuses_new_streams_and_keeps_the_old() -> None:
    a, b, stream = opened()
    b.go_away()
    b.go_away()
    late = a.open()
    wire = sent(b)
    assert headers(wire) == [Header(GO_AWAY, 0, 0, Code.NORMAL)]
    assert b.receive(sent(a)) == []
    assert a.receive(wire + sent(b)) == [WentAway(0), Reset(late, "")]
    with pytest.raises(SessionClosed, match="no new streams"):
        a.open()
    a.write(stream, b"still here")
    assert b.receive(sent(a)) == [Data(stream, memoryview(b"still here"))]


def test_limits_on_opening() -> None:
    a, _b = pair(Config(max_streams=2))
    a.open()
    first = a.open() - 2
    with pytest.raises(TooManyStreams, match="2 streams"):
        a.open()
    a.reset(first)
    a._next_id = 0xFFFFFFFF
    assert a.open() == 0xFFFFFFFF
    a.reset(0xFFFFFFFF)
    with pytest.raises(TooManyStreams, match="used up"):
        a.open()


def test_data_counts_as_acknowledgement() -> None:
    a, _ = pair()
    stream = a.open()
    sent(a)
    assert a.receive(Header(DATA, 0, stream, 1).encode() + b"x") == [
        Acknowledged(stream),
        Data(stream, memoryview(b"x")),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_streams": 0},
        {"receive_window": 1000},
        {"receive_window": MIB, "receive_window_max": MIB - 1},
        {"stream_send_buffer_min": 2 * MIB},
        {"max_frame": MIB},
        {"keepalive_interval": -1.0},
    ],
)
def test_contradicting_limits(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"positive|window|above"):
        Config(**wrong)  # type: ignore[arg-type]
