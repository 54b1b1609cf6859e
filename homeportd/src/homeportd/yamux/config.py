"""The limits of a session. Every buffer and count in this package is bounded by one of them."""

from __future__ import annotations

from dataclasses import dataclass

from homeportd.yamux.frames import INITIAL_WINDOW, MAX_U32

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Limits and timings of one session. Sizes are in bytes, times in seconds.

    Both sides choose for themselves; nothing here is negotiated. Raises `ValueError` when values contradict.
    """

    max_streams: int = 4096
    """Live streams in each direction (opened here, opened by the peer). The peer's surplus is reset."""

    accept_backlog: int = 256
    """Streams the peer opened that were not accepted yet (surplus is reset), and streams opened here that
    the peer has not accepted yet (`Session.open` waits)."""

    receive_window: int = INITIAL_WINDOW
    """How much a stream may hold unread at first; the protocol's own start value is the least."""

    receive_window_max: int = 16 * MIB
    """Up to this the window of a stream is doubled, while half of it is emptied within two round trips or 3 ms."""

    receive_budget: int = 64 * MIB
    """How much all windows of a session may grow together beyond `receive_window` each."""

    max_unread: int = 256 * MIB
    """Unread bytes of all streams together at which new streams are refused, both ways. Those that live go on
    (to stop reading could lock them up, one waiting for another), each within its window."""

    max_frame: int = 32 * KIB
    """Payload of a data frame while several streams have something to send: the unit of fairness."""

    max_frame_alone: int = 256 * KIB
    """Payload of a data frame while one stream alone sends."""

    send_buffer: int = 8 * MIB
    """What the streams of a session may together hold unsent before `drain` waits, shared evenly between
    streams, but each within the two limits below."""

    stream_send_buffer_min: int = 16 * KIB
    stream_send_buffer_max: int = 1 * MIB

    transport_buffer: int = 256 * KIB
    """High-water mark set on the transport: what is framed but not yet taken by the kernel."""

    max_replies: int = 1024
    """Answers (pongs, resets) that may wait to be sent, over one a stream that may live: a peer that goes on asking
    and does not read is cut off."""

    idle_frames_burst: int = 10_000
    idle_frames_rate: int = 1_000
    """Frames that move nothing (pings, refused opens, resets, empty frames): so many at once, so many
    a second after that; a peer that sends more is flooding and is cut off."""

    keepalive_interval: float = 15.0
    """A ping is sent every so often; a peer silent over two of them is dead. 0 turns this off."""

    open_timeout: float = 60.0
    """How long `Session.open` waits for room in the backlog."""

    close_timeout: float = 30.0
    """How long a closed stream waits for the peer's end before it is reset, and a closed session for its
    transport to flush before it is aborted."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) < (0 if name in _MAY_BE_ZERO else 1e-3):
                raise ValueError(f"{name} must be positive")
        if not INITIAL_WINDOW <= self.receive_window <= self.receive_window_max <= MAX_U32:
            raise ValueError(
                f"{INITIAL_WINDOW} <= receive_window <= receive_window_max < 2**32 does not hold"
            )
        if self.stream_send_buffer_min > self.stream_send_buffer_max:
            raise ValueError("stream_send_buffer_min is above stream_send_buffer_max")
        if self.max_frame > self.max_frame_alone:
            raise ValueError("max_frame is above max_frame_alone")


_MAY_BE_ZERO = {"keepalive_interval", "receive_budget"}
