"""The events that received bytes cause. Named tuples, as one is made for each frame."""

from __future__ import annotations

from typing import NamedTuple


class Opened(NamedTuple):
    """The peer opened a stream; answer with `accept` or `reset`."""

    stream_id: int


class Acknowledged(NamedTuple):
    """The peer accepted a stream that was opened here."""

    stream_id: int


class Data(NamedTuple):
    """Payload, or a part of it. `payload` is a view into the caller's buffer: copy it to keep it."""

    stream_id: int
    payload: memoryview


class Finished(NamedTuple):
    """The peer will send no more on this stream."""

    stream_id: int


class Ended(NamedTuple):
    """The stream is over in both directions: the peer's end came after this side's."""

    stream_id: int


class Reset(NamedTuple):
    """The stream is over, abruptly: by the peer, or (with a reason) by this side for what the peer did."""

    stream_id: int
    reason: str


class Pong(NamedTuple):
    """The answer to the ping with this value."""

    value: int


class WentAway(NamedTuple):
    """The peer takes no new streams (code 0), or has given the session up (any other code)."""

    code: int


class Failed(NamedTuple):
    """The peer broke the protocol. Send what `pull` still gives (a go-away), then close the transport."""

    reason: str


Event = Opened | Acknowledged | Data | Finished | Ended | Reset | Pong | WentAway | Failed
