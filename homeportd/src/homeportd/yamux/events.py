"""What a session tells its owner about the bytes it received. Named tuples, as one is made for each frame."""

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


class Reset(NamedTuple):
    """The stream is over, abruptly: by the peer (`reason` empty) or by this side because of what the peer did."""

    stream_id: int
    reason: str


class Pong(NamedTuple):
    """The answer to the ping with this value."""

    value: int


class WentAway(NamedTuple):
    """The peer takes no new streams (code 0), or has given the session up (any other code)."""

    code: int


class Failed(NamedTuple):
    """The peer broke the protocol. What `pull` still gives (a go-away) should be sent, then the transport closed."""

    reason: str


Event = Opened | Acknowledged | Data | Finished | Reset | Pong | WentAway | Failed
