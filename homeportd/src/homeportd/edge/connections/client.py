"""A connected client: its links, the ids of its tunnels, and the choice of a link for a visitor."""

from __future__ import annotations

from time import monotonic
from typing import Final

from homeportd.edge.connections.link import Link
from homeportd.tunnels.protocol import HEARTBEAT_S, Introduction
from homeportd.yamux.errors import YamuxError
from homeportd.yamux.stream import Stream

SILENT_S: Final = HEARTBEAT_S + 1.0  # without a byte: a link that works answers each heartbeat


class Offline(Exception):
    """No link of the client takes a stream."""


class Client:
    """One client process: the links that name the same run and the same token lineage."""

    def __init__(self, lineage: str, run: str, name: str) -> None:
        self.lineage = lineage
        self.run = run
        self.name = name
        self.links: dict[int, Link] = {}  # by the number that the client gave them
        self.tunnels: set[str] = set()  # ids of the tunnels that it holds; the service keeps them

    @property
    def freshest(self) -> Link | None:
        """The link that received a byte last: a silent one may be dead without a sign of it."""
        return max(self.links.values(), key=lambda link: link.session.heard_at or 0.0, default=None)

    async def dial(self, introduction: Introduction) -> Stream:
        """A stream for one visitor on the least busy link, introduced. Raises Offline.

        Links that missed a heartbeat are tried last.
        """
        overdue = monotonic() - SILENT_S
        tried: set[Link] = set()
        # A link may take long to say that it takes none; there may be another by then.
        while left := [link for link in self.links.values() if link not in tried]:
            link = min(
                left, key=lambda each: ((each.session.heard_at or 0.0) < overdue, each.session.streams)
            )
            tried.add(link)
            try:
                stream = await link.session.open()
            except (YamuxError, TimeoutError):
                continue
            try:
                stream.write(introduction.encode())
            except YamuxError:
                continue
            return stream
        raise Offline

    @property
    def round_trip(self) -> float | None:
        """Seconds to the client and back on its best link; None before the first answer to a heartbeat."""
        times = [link.session.round_trip for link in self.links.values()]
        return min((time for time in times if time is not None), default=None)
