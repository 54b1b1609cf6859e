"""Where Traefik, and clients over plain TLS, come in: the Upgrade of a link, else ordinary HTTP.

Raw asyncio: a link's connection must not belong to a web server. What is no Upgrade is handed, with the bytes
that came, to `other`, which makes a protocol for it.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable
from typing import Final, cast

from homeportd.edge.link import CONFIG, Desk, Link
from homeportd.tunnels import protocol
from homeportd.yamux.aio import Session
from homeportd.yamux.frames import Role

MAX_HEAD: Final = 16 * 1024  # bytes of a request for an Upgrade
MAX_FIRST: Final = 64 * 1024  # bytes that are handed on unread
HEAD_S: Final = 10
MAX_ARRIVING: Final = 2048  # connections that have not said what they want, or who they are
MAX_LINKS: Final = 8192
BACKLOG: Final = 1024
ALPN: Final = "homeport-tunnel"

_REQUEST: Final = re.compile(rb"([A-Z]{1,16}) ([\x21-\x7e]{1,8000}) HTTP/1\.1")
_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
_SWITCH: Final = (
    f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {protocol.UPGRADE}\r\n\r\n"
).encode()

Other = Callable[[], asyncio.Protocol]


def asks_for_link(head: bytes) -> bool:
    """Whether a whole head, up to its empty line, is the Upgrade of a client.

    Strict: exactly this target, the method GET, no body; a head that is malformed asks for nothing.
    """
    lines = head.split(b"\r\n")
    match = _REQUEST.fullmatch(lines[0])
    if match is None or match[1] != b"GET" or match[2].partition(b"?")[0] != protocol.PATH.encode():
        return False
    fields: dict[bytes, bytes] = {}
    for line in lines[1:]:
        field = _FIELD.fullmatch(line)
        if field is None:
            return False
        name = field[1].lower()
        if name in fields and name in (b"upgrade", b"content-length", b"host"):
            return False
        fields[name] = field[2].strip().lower()
    wants = {word.strip() for word in fields.get(b"connection", b"").split(b",")}
    return (
        b"upgrade" in wants
        and fields.get(b"upgrade") == protocol.UPGRADE.encode()
        and b"transfer-encoding" not in fields
        and fields.get(b"content-length", b"0") == b"0"
    )


class Door:
    """Takes connections until it is closed."""

    def __init__(self, desk: Desk, other: Other) -> None:
        self._desk = desk
        self._other = other
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.arriving = 0

    async def listen(self, address: str) -> None:
        """Open the plain door, for Traefik. Raises OSError."""
        loop = asyncio.get_running_loop()
        host, port = split(address)
        self._servers.append(
            await loop.create_server(lambda: _Arrival(self, loop), host, port, backlog=BACKLOG)
        )

    async def listen_tls(self, address: str, context: ssl.SSLContext) -> None:
        """Open the TLS door, for clients: yamux from the first byte. Raises OSError."""
        loop = asyncio.get_running_loop()
        host, port = split(address)
        server = await loop.create_server(
            lambda: _Direct(self), host, port, backlog=BACKLOG, ssl=context, ssl_handshake_timeout=HEAD_S
        )
        self._servers.append(server)

    def other(self) -> asyncio.Protocol:
        """A protocol for what is no link."""
        return self._other()

    @property
    def full(self) -> bool:
        """Whether no more may come in at the moment."""
        return self.arriving >= MAX_ARRIVING or len(self._tasks) >= MAX_LINKS

    def serve(self, session: Session, address: str) -> None:
        """Serve a link until it is gone."""
        task = asyncio.get_running_loop().create_task(Link(session, self._desk, address).run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Shut the doors and end the links."""
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class _Arrival(asyncio.Protocol):
    """A connection until it is clear what it wants."""

    def __init__(self, door: Door, loop: asyncio.AbstractEventLoop) -> None:
        self._door = door
        self._loop = loop
        self._seen = bytearray()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self._door.full:
            self._transport.abort()
            self._transport = None
            return
        self._door.arriving += 1
        self._timer = self._loop.call_later(HEAD_S, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return
        self._seen += data
        end = self._seen.find(b"\r\n\r\n")
        if end < 0 and len(self._seen) < MAX_FIRST:
            return
        transport, seen = self._transport, bytes(self._seen)
        self._leave()
        if 0 <= end <= MAX_HEAD and asks_for_link(seen[:end]):
            transport.write(_SWITCH)
            address = str((transport.get_extra_info("peername") or ("",))[0])
            self._door.serve(Session.over(transport, Role.SERVER, CONFIG, seen[end + 4 :]), address)
            return
        other = self._door.other()
        transport.set_protocol(other)
        other.connection_made(transport)
        other.data_received(seen)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()

    def _leave(self) -> None:
        if self._transport is not None:
            self._transport = None
            self._seen.clear()
            self._door.arriving -= 1
            if self._timer is not None:
                self._timer.cancel()


class _Direct(Session):
    """A link from the first byte on."""

    def __init__(self, door: Door) -> None:
        super().__init__(Role.SERVER, CONFIG)
        self._door = door

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._door.full:
            self.abort("too many links")
            return
        self._door.serve(self, str((transport.get_extra_info("peername") or ("",))[0]))


def split(address: str) -> tuple[str, int]:
    """(host, port) of `127.0.0.1:7070` or `[::1]:7070`."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
