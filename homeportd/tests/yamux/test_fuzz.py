"""Mutated frames against the state machine: it never raises, never says nonsense, never holds more than it may.

A few thousand inputs in the suite; for more, `YAMUX_FUZZ=1000000 pytest test_fuzz.py`, or run this file:
`python test_fuzz.py 1000000 [seed]` (about a minute), which prints its memory along the way.
"""

from __future__ import annotations

import os
import random
import resource
import sys
import time

from homeportd.yamux.config import Config
from homeportd.yamux.errors import YamuxError
from homeportd.yamux.events import Data, Ended, Failed, Opened, Reset
from homeportd.yamux.frames import (
    ACK,
    DATA,
    FIN,
    GO_AWAY,
    HEADER_SIZE,
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

COUNT = int(os.environ.get("YAMUX_FUZZ", "5000"))
CONFIG = Config(
    max_streams=16,
    accept_backlog=4,
    max_replies=64,
    idle_frames_burst=200,
    idle_frames_rate=1,
    send_buffer=1 << 16,
    stream_send_buffer_max=1 << 14,
    stream_send_buffer_min=1 << 10,
)
KINDS = (0, 0, 0, 1, 1, 1, 2, 3, 4, 255)
FLAGS = (0, 0, 0, 1, 1, 2, 4, 8, 3, 5, 6, 15, 0xFFFF)
LENGTHS = (0, 0, 1, 2, 100, 65535, 0x40000, 0x40001, 0x7FFFFFFF, 0xFFFFFFFF)
REPLACEMENTS = (0, 1, 2, 4, 8, 127, 128, 255)
INPUTS_A_MACHINE = 400


def sensible_frame(dice: random.Random, machine: Machine) -> Header:
    """What a good peer could send now, so that the bad frames meet a session with a past."""
    if not machine._flows or dice.random() < 0.2:
        return Header(WINDOW_UPDATE, SYN, 2 * dice.randrange(1, 1000) + machine.role % 2 - 1, 0)
    stream_id = dice.choice(list(machine._flows))
    choice = dice.random()
    if choice < 0.5:
        return Header(DATA, 0, stream_id, dice.randrange(1, 64))
    if choice < 0.7:
        return Header(WINDOW_UPDATE, ACK, stream_id, dice.randrange(1 << 16))
    if choice < 0.85:
        return Header(DATA, FIN, stream_id, dice.randrange(2))
    if choice < 0.93:
        return Header(WINDOW_UPDATE, RST, stream_id, 0)
    return Header(PING, dice.choice((SYN, ACK)), 0, 1)


def wild_frame(dice: random.Random) -> Header:
    kind = dice.choice(KINDS)
    size = dice.randrange(0, 64) if kind == DATA else dice.choice(LENGTHS)
    return Header(kind, dice.choice(FLAGS), dice.randrange(0, 12) if kind < PING else 0, size)


def make_input(dice: random.Random, machine: Machine) -> bytes:
    """A few frames, some of them mutated."""
    parts = []
    for _ in range(dice.randrange(1, 5)):
        header = wild_frame(dice) if dice.random() < 0.02 else sensible_frame(dice, machine)
        parts.append(header.encode())
        if header.kind == DATA:
            parts.append(bytes(header.length))
    data = bytearray(b"".join(parts))
    chance = dice.random()
    if chance < 0.02:
        data[dice.randrange(len(data))] = dice.choice(REPLACEMENTS)
    elif chance < 0.025:
        del data[dice.randrange(len(data)) :]
    elif chance < 0.03:
        data[:0] = dice.randbytes(dice.randrange(1, 16))
    return bytes(data)


def check_output(chunks: list[bytes | memoryview]) -> None:
    wire = b"".join(chunks)
    position = 0
    while position < len(wire):
        header = decode(wire, position)
        position += HEADER_SIZE + (header.length if header.kind == DATA else 0)
    assert position == len(wire)


def check_limits(machine: Machine) -> None:
    flows = machine._flows.values()
    assert len(flows) <= 2 * CONFIG.max_streams
    assert machine._outbox.waiting <= CONFIG.max_replies + 2 * CONFIG.max_streams
    assert len(machine._partial) <= HEADER_SIZE
    for flow in flows:
        assert 0 <= flow.credit <= flow.window
        assert flow.held >= 0
        assert flow.unsent <= 4 * CONFIG.stream_send_buffer_max + 5000


def act(machine: Machine, dice: random.Random, known: list[int]) -> None:
    """What an application might do meanwhile."""
    action = dice.randrange(8)
    stream_id = dice.choice(known) if known else 0
    try:
        if action == 0:
            known.append(machine.open())
        elif action == 1:
            machine.write(stream_id, bytes(dice.randrange(5000)))
        elif action == 2:
            machine.finish(stream_id)
        elif action == 3:
            machine.reset(stream_id)
        elif action == 4:
            machine.ping(dice.randrange(1 << 32))
    except YamuxError:
        pass
    if action > 4:
        check_output(machine.pull(dice.choice((1, 100_000))))


def fuzz(count: int, seed: int, report_every: int = 0) -> dict[str, int]:
    """Feed `count` inputs; how many machines ended, and of what. Raises on anything unexpected."""
    dice = random.Random(seed)
    reasons: dict[str, int] = {}
    machine, known, age = Machine(dice.choice(list(Role)), CONFIG), [], 0
    for number in range(count):
        data = make_input(dice, machine)
        cut = dice.randrange(len(data) + 1)
        for part in (data[:cut], data[cut:]):
            before = machine.failure
            events = machine.receive(part, number / 1000)
            if before is not None:
                assert not events
            for event in events:
                if isinstance(event, Opened):
                    known.append(event.stream_id)
                    if dice.random() < 0.7:
                        machine.accept(event.stream_id)
                elif isinstance(event, Data):
                    assert len(event.payload)
                    machine.consume(event.stream_id, len(event.payload))
                elif isinstance(event, (Reset, Ended)):
                    opened_again = Opened(event.stream_id) in events
                    assert opened_again or event.stream_id not in machine._flows
                elif isinstance(event, Failed):
                    assert event is events[-1]
        act(machine, dice, known)
        check_limits(machine)
        age += 1
        if machine.failure is not None or age >= INPUTS_A_MACHINE:
            chunks = machine.pull(1 << 20)
            check_output(chunks)
            if machine.failure is not None:
                # Either it was pulled a moment ago, or it is the last thing said.
                goodbye = Header(GO_AWAY, 0, 0, Code.PROTOCOL_ERROR).encode()
                assert not chunks or chunks == [goodbye]
            words = " ".join(
                word for word in (machine.failure or "none").split() if not word.strip(",").isdigit()
            )
            reasons[words] = reasons.get(words, 0) + 1
            machine, known, age = Machine(dice.choice(list(Role)), CONFIG), [], 0
        if report_every and number % report_every == 0:
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            print(f"{number:>10} inputs, {memory} MiB at most", flush=True)  # noqa: T201
    return reasons


def test_fuzz() -> None:
    reasons = fuzz(COUNT, seed=20261121)
    assert len(reasons) >= 10  # it gets to most of the ways to fail
    assert "none" in reasons


if __name__ == "__main__":
    start = time.monotonic()
    found = fuzz(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1, 100_000)
    for words, times in sorted(found.items(), key=lambda item: -item[1]):
        print(f"{times:>9} {words}")  # noqa: T201
    print(f"{time.monotonic() - start:.0f} s")  # noqa: T201
