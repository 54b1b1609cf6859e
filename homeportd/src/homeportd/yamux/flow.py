"""The flow control of one stream: its windows, its unsent bytes, its due frames. No I/O."""

from __future__ import annotations

from collections import deque

from homeportd.yamux.frames import DATA, FIN, HEADER, INITIAL_WINDOW, SYN, VERSION, WINDOW_UPDATE

Chunk = bytes | memoryview


class Flow:
    """Windows, unsent bytes and due flags of one stream. All sizes are in bytes.

    Receiving: `credit` is what the peer may still send, `held` what it sent and was not consumed. Their sum
    never exceeds `window`, which is how an unread stream stops its sender.
    """

    __slots__ = (
        "accepted",
        "acknowledged",
        "credit",
        "due",
        "fin_received",
        "fin_sent",
        "finishing",
        "granted_at",
        "held",
        "inbound",
        "queue",
        "send_window",
        "stream_id",
        "throttled",
        "unsent",
        "window",
    )

    def __init__(self, stream_id: int, *, inbound: bool, window: int, now: float) -> None:
        self.stream_id = stream_id
        self.inbound = inbound
        self.accepted = not inbound  # by this side
        self.acknowledged = inbound  # by the peer
        self.window = window
        self.credit = INITIAL_WINDOW
        self.held = 0
        self.granted_at = now
        self.send_window = INITIAL_WINDOW
        self.queue: deque[Chunk] = deque()
        self.unsent = 0
        self.due = 0 if inbound else SYN  # flags that wait for the next frame
        self.throttled = False  # above its share of the send buffer
        self.finishing = False
        self.fin_sent = False
        self.fin_received = False

    @property
    def grant(self) -> int:
        """How much more the peer could be allowed to send now."""
        return 0 if self.fin_received else self.window - self.credit - self.held

    @property
    def sendable(self) -> bool:
        """Whether a frame could go out now: data within the peer's window, or the end after all data."""
        if self.unsent:
            return self.send_window > 0
        return self.finishing and not self.fin_sent

    def update_frame(self) -> bytes | None:
        """The window update that is due, with SYN or ACK if that is due too; None when nothing is."""
        grant = self.grant
        if not grant and not self.due:
            return None
        frame = HEADER.pack(VERSION, WINDOW_UPDATE, self.due, self.stream_id, grant)
        self.credit += grant
        self.due = 0
        return frame

    def data_frame(self, limit: int, into: list[Chunk]) -> int:
        """Append one data frame of at most `limit` payload bytes to `into`; return its size with the header.

        The end of the stream follows the last data in a frame of its own. It may ride on the data, says the
        specification, but hashicorp's implementation then tells its reader of the end before it has the data,
        and the reader loses them now and then.
        """
        size = min(self.unsent, self.send_window, limit)
        if not size:
            self.fin_sent = True
            into.append(HEADER.pack(VERSION, DATA, FIN, self.stream_id, 0))
            return HEADER.size
        self.unsent -= size
        self.send_window -= size
        into.append(HEADER.pack(VERSION, DATA, 0, self.stream_id, size))
        queue, left = self.queue, size
        while left:
            chunk = queue[0]
            if len(chunk) <= left:
                into.append(queue.popleft())
                left -= len(chunk)
            else:
                view = memoryview(chunk)
                into.append(view[:left])
                queue[0] = view[left:]
                left = 0
        return HEADER.size + size
