"""The frames that a session has to send, and the order of its streams. No I/O.

Three kinds, in this order: answers and session frames, window updates, then payload of the streams in turn.
"""

from __future__ import annotations

from collections import OrderedDict

from homeportd.yamux.config import Config
from homeportd.yamux.flow import Chunk, Flow
from homeportd.yamux.frames import Header


class Outbox:
    """Frames and streams that wait for the transport. Payload stays in its stream until it is pulled."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._control: list[bytes] = []
        # Ordered sets, so that a stream leaves in constant time when it is reset.
        self._updates: OrderedDict[int, Flow] = OrderedDict()
        self._turns: OrderedDict[int, Flow] = OrderedDict()
        self._drained: list[int] = []

    def __bool__(self) -> bool:
        return bool(self._control or self._updates or self._turns)

    def put(self, header: Header) -> None:
        """Queue a frame without payload, ahead of everything that is not such a frame."""
        self._control.append(header.encode())

    @property
    def waiting(self) -> int:
        """How many frames wait that were `put`."""
        return len(self._control)

    def update(self, flow: Flow) -> bool:
        """Send a window update for the stream, with its due flag. Whether it was not on the list yet."""
        if flow.stream_id in self._updates:
            return False
        self._updates[flow.stream_id] = flow
        return True

    def schedule(self, flow: Flow) -> None:
        """Give the stream a turn, if it has something it may send and has no turn yet."""
        if flow.sendable and flow.stream_id not in self._turns:
            self._turns[flow.stream_id] = flow

    def drop(self, flow: Flow) -> None:
        """Forget what the stream had to send."""
        self._updates.pop(flow.stream_id, None)
        self._turns.pop(flow.stream_id, None)
        flow.queue.clear()
        flow.unsent = 0

    def clear(self) -> None:
        """Forget everything."""
        self._control.clear()
        self._updates.clear()
        self._turns.clear()

    def pull(self, budget: int, share: int) -> tuple[list[Chunk], list[Flow]]:
        """Chunks to send now, and the streams that sent their end with them.

        All due frames without payload, then about `budget` bytes of it: streams take turns, a frame each.
        A writer may go on (`drained`) when its stream holds no more than half of `share` bytes.
        """
        chunks: list[Chunk] = []
        ended: list[Flow] = []
        if self._control:
            chunks.extend(self._control)
            self._control.clear()
        for flow in self._updates.values():
            if (frame := flow.update_frame()) is not None:
                chunks.append(frame)
        self._updates.clear()
        turns, size = self._turns, 0
        while turns and size < budget:
            _, flow = turns.popitem(last=False)
            limit = self._config.max_frame if turns else self._config.max_frame_alone
            size += flow.data_frame(limit, chunks)
            if flow.throttled and 2 * flow.unsent <= share:
                flow.throttled = False
                self._drained.append(flow.stream_id)
            if flow.sendable:
                turns[flow.stream_id] = flow
            elif flow.fin_sent:
                ended.append(flow)
        return chunks, ended

    def drained(self) -> list[int]:
        """Streams whose writers may go on, since the last call."""
        drained, self._drained = self._drained, []
        return drained
