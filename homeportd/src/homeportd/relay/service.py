"""The relay: passes on the connections that must end when a right ends, and ends them.

Caddy cannot close one connection, so WebSockets and event streams of ports pass through here. Each connection is
known by the right that it lives by (`share:<id>.<generation>`, `owner:<login session>`, `token:<id>`), as the gateway
decided; when that right is gone, exactly its connections are.
"""

from __future__ import annotations

import asyncio
import logging
import resource
from pathlib import Path
from typing import Protocol

from homeportd import sockets
from homeportd.http_protocol import part_of_descriptors
from homeportd.networks import client_key_of
from homeportd.origin import EDITOR
from homeportd.ports.model import Port, Program
from homeportd.ports.protocols import Protocols
from homeportd.ports.target import target
from homeportd.relay.connection import RelayedConnection
from homeportd.relay.head import BadHead, Head
from homeportd.shares.model import Share
from homeportd.signal import Signal

MAX_LIVE = 1024  # connections in all; fewer where the process may open few files
FOR_OWNER = 256  # of these, which visitors cannot take; a quarter, of fewer
MAX_A_PORT = 512  # visitors' of one port
MAX_A_CLIENT = 128  # visitors' of one client: an IPv4 address, an IPv6 /64
UNREAD = 256  # connections above MAX_LIVE whose head says next whether they may stay
RECHECK_S = 1.0  # how late an end that nobody announced is seen
FILES = 4096  # open files wanted: two a connection, and some for the rest of the agent

_log = logging.getLogger(__name__)


class Ports(Protocol):
    """What the relay needs of the ports."""

    def get(self, port: int) -> Port | None:
        """The port, while something listens on it."""

    def reaches(self, program: Program, *, fresh: bool = False) -> bool:
        """Whether a connection to a program's address reaches it now."""


class ShareRights(Protocol):
    """What the relay needs of `shares.service.Shares`."""

    def get(self, port: int) -> Share | None:
        """The share of a port."""

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
    """All relayed connections. `editor`: the socket of the editor, where there is one."""

    def __init__(
        self,
        ports: Ports,
        shares: ShareRights,
        auth: OwnerRights,
        protocols: Protocols,
        editor: Path | None = None,
    ) -> None:
        self.protocols = protocols
        self._editor = None if editor is None else Program(EDITOR, (), socket=str(editor))
        self._ports = ports
        self._shares = shares
        self._auth = auth
        self._connections: set[RelayedConnection] = set()
        self._most = MAX_LIVE
        self._closing = False
        self._server: asyncio.Server | None = None
        self._timer: asyncio.TimerHandle | None = None
        shares.changed.subscribe(lambda port, share: self.recheck())
        auth.revoked.subscribe(self.recheck)

    async def start(self, path: Path) -> None:
        """Listen on a unix socket for the group of Caddy; a stale one is replaced."""
        _allow_files()
        self._most = min(MAX_LIVE, part_of_descriptors(1 / 4))  # each has two
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(
            lambda: RelayedConnection(self), sock=sockets.listen(path, 0o660)
        )
        self._timer = loop.call_later(RECHECK_S, self._tick)

    def recheck(self) -> None:
        """End every connection whose right is gone; each right is looked up once."""
        alive: dict[tuple[int, str], bool] = {}
        for one in tuple(self._connections):
            if one.head is None:
                continue
            key = (one.head.port, one.head.right)
            if key not in alive:
                alive[key] = self._alive(*key)
            if not alive[key]:
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

    # Called by the connections

    def admit(self, head: Head) -> Program:
        """The program to dial for this request. Raises BadHead when its right has ended, or nothing listens there."""
        if not self._alive(head.port, head.right):
            raise BadHead(403, "the right to this port has ended")
        self._bound(head)
        if head.port == EDITOR and self._editor is not None:
            return self._editor
        program = self._program(head)
        if program is None or not self._ports.reaches(program):
            raise BadHead(502, f"nothing listens on port {head.port}")
        return program

    def _bound(self, head: Head) -> None:
        """Raise BadHead where there are too many connections: of visitors', the owner has some in reserve."""
        admitted = [one.head for one in self._connections if one.head is not None]  # this one among them
        if len(admitted) > self._most:
            raise BadHead(503, f"there are {self._most} live connections already")
        if not head.of_visitor:
            return
        visitors = [other for other in admitted if other.of_visitor]
        client = client_key_of(head.client)
        if client and sum(client_key_of(other.client) == client for other in visitors) > MAX_A_CLIENT:
            raise BadHead(429, f"{head.client} has {MAX_A_CLIENT} live connections already")
        if sum(other.port == head.port for other in visitors) > MAX_A_PORT:
            raise BadHead(503, f"port {head.port} has {MAX_A_PORT} live connections already")
        most = self._most - min(FOR_OWNER, self._most // 4)
        if len(visitors) > most:
            raise BadHead(503, f"there are {most} live connections of visitors already")

    def still_allowed(self, head: Head, program: Program) -> bool:
        """Whether the right of a request still holds, and what was dialled is what it was meant for.

        No socket gets the inode of another, so that one which listened before and after a connection was made is the
        one that the connection reached.
        """
        reaches = program is self._editor or self._ports.reaches(program, fresh=True)
        return self._alive(head.port, head.right) and reaches

    def _program(self, head: Head) -> Program | None:
        port = self._ports.get(head.port)
        owner = not head.right.startswith("share:")
        return None if port is None else target(port, self._shares.get(head.port), owner=owner)

    def add(self, connection: RelayedConnection) -> bool:
        """Count a connection; False when there are too many, or the relay is closing."""
        if self._closing:  # it was accepted just before
            return False
        if len(self._connections) >= self._most + min(UNREAD, self._most // 4):
            _log.warning("the relay has %d connections and takes no more", len(self._connections))
            return False
        self._connections.add(connection)
        return True

    def discard(self, connection: RelayedConnection) -> None:
        """Forget a connection that is over."""
        self._connections.discard(connection)

    async def close(self) -> None:
        """End everything and stop listening."""
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
        if self._server is not None:
            self._server.close()
        everyone = tuple(self._connections)
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
