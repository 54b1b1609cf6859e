"""The relay: carries the connections that must end when a right ends, and ends them.

Caddy cannot close one connection, so WebSockets and event streams of ports pass through here. Each connection is
known by the right it lives by (`share:<id>.<generation>`, `owner:<session>`, `token:<id>`), as the gateway decided;
when that right is gone, exactly its connections are.
"""

from __future__ import annotations

import asyncio
import logging
import resource
from collections import Counter
from pathlib import Path
from typing import Protocol

from homeportd import sockets
from homeportd.ports.model import Port
from homeportd.relay.carry import Carried
from homeportd.relay.head import BadHead, Head
from homeportd.shares.model import Share
from homeportd.signal import Signal

MAX_LIVE = 1024  # connections in all
MAX_A_PORT = 512
RECHECK_S = 1.0  # how late an end that nobody announced is seen
FILES = 4096  # open files wanted: two a connection, and some for the rest of the agent

_log = logging.getLogger(__name__)


class Ports(Protocol):
    """What the relay needs of the ports."""

    def get(self, port: int) -> Port | None:
        """The port, while something listens on it."""


class ShareRights(Protocol):
    """What the relay needs of `shares.service.Shares`."""

    def alive(self, port: int, grant: str) -> bool:
        """Whether a visitor let in under `grant` may stay."""

    @property
    def changed(self) -> Signal[[int, Share | None]]:
        """Emitted when a share has changed or ended."""


class OwnerRights(Protocol):
    """What the relay needs of `auth.service.Auth`."""

    def login_session_alive(self, session_id: str) -> bool:
        """Whether a session still holds."""

    def token_alive(self, token_id: str) -> bool:
        """Whether a token still holds."""

    @property
    def revoked(self) -> Signal[[]]:
        """Emitted when a session or token has ended."""


class Relay:
    """All carried connections."""

    def __init__(self, ports: Ports, shares: ShareRights, auth: OwnerRights) -> None:
        self._ports = ports
        self._shares = shares
        self._auth = auth
        self._all: set[Carried] = set()
        self._closing = False
        self._server: asyncio.Server | None = None
        self._timer: asyncio.TimerHandle | None = None
        shares.changed.subscribe(lambda port, share: self.recheck())
        auth.revoked.subscribe(self.recheck)

    async def start(self, path: Path) -> None:
        """Listen on a unix socket for the group of Caddy; a stale one is replaced."""
        _allow_files()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: Carried(self), sock=sockets.listen(path, 0o660))
        self._timer = loop.call_later(RECHECK_S, self._tick)

    def live(self) -> dict[int, int]:
        """How many connections each port has."""
        return dict(Counter(one.head.port for one in self._all if one.head is not None))

    def recheck(self) -> None:
        """End every connection whose right is gone. Costs one look a right, not a connection."""
        verdicts: dict[tuple[int, str], bool] = {}
        for one in tuple(self._all):
            if one.head is None:
                continue
            key = (one.head.port, one.head.right)
            if key not in verdicts:
                verdicts[key] = self._alive(*key)
            if not verdicts[key]:
                one.end()

    def _tick(self) -> None:
        self.recheck()
        self._timer = asyncio.get_running_loop().call_later(RECHECK_S, self._tick)

    def _alive(self, port: int, right: str) -> bool:
        kind, _, name = right.partition(":")
        match kind:
            case "share":
                return self._shares.alive(port, name)
            case "owner":
                return self._auth.login_session_alive(name)
            case "token":
                return self._auth.token_alive(name)
        return False

    # What a connection asks of us

    def admit(self, head: Head) -> tuple[str, int]:
        """Where to dial for this request. Raises BadHead when it may not, or may no longer, be carried."""
        if not self._alive(head.port, head.right):
            raise BadHead(403, "the right to this port has ended")
        if sum(one.head is not None and one.head.port == head.port for one in self._all) > MAX_A_PORT:
            raise BadHead(503, f"port {head.port} has {MAX_A_PORT} live connections already")
        port = self._ports.get(head.port)
        if port is None:
            raise BadHead(502, f"nothing listens on port {head.port}")
        host, _, number = port.upstream.rpartition(":")
        return host.strip("[]"), int(number)

    def still(self, head: Head) -> bool:
        """Whether the right outlived the dialling."""
        return self._alive(head.port, head.right)

    def joined(self, one: Carried) -> bool:
        """Take up a connection, unless there are too many."""
        if self._closing:  # it was accepted just before
            return False
        if len(self._all) >= MAX_LIVE:
            _log.warning("the relay has %d connections and takes no more", MAX_LIVE)
            return False
        self._all.add(one)
        return True

    def left(self, one: Carried) -> None:
        """A connection is over."""
        self._all.discard(one)

    async def close(self) -> None:
        """End everything and stop listening."""
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
        if self._server is not None:
            self._server.close()
        everyone = tuple(self._all)
        for one in everyone:
            one.end()
        await asyncio.gather(*(one.gone.wait() for one in everyone))
        if self._server is not None:
            await self._server.wait_closed()


def _allow_files() -> None:
    """Raise this process's own limit of open files as far as the system lets it, up to FILES."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
