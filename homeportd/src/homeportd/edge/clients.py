"""A connected client: its links, its tunnels, and the choice of a link for a visitor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from homeportd.tunnels.protocol import Introduction
from homeportd.yamux.errors import YamuxError
from homeportd.yamux.stream import Stream

if TYPE_CHECKING:
    from homeportd.edge.link import Link
    from homeportd.edge.tunnel import Tunnel


class Offline(Exception):
    """No link of the client takes a stream."""


class Client:
    """One client process: the links that name the same run and the same token lineage."""

    def __init__(self, lineage: str, run: str, name: str) -> None:
        self.lineage = lineage
        self.run = run
        self.name = name
        self.links: dict[int, Link] = {}
        self.tunnels: dict[str, Tunnel] = {}

    async def dial(self, introduction: Introduction) -> Stream:
        """A stream for one visitor on the least busy link, introduced. Raises Offline."""
        for link in sorted(self.links.values(), key=lambda link: link.session.streams):
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
        """Seconds to the client and back, of its best link."""
        times = [link.session.round_trip for link in self.links.values()]
        return min((time for time in times if time is not None), default=None)
