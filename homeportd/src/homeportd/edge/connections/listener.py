"""Where Traefik, and clients over plain TLS, come in: the Upgrade of a link, else ordinary HTTP.

Raw asyncio: a link's connection must not belong to a web server. What is no Upgrade is handed, with the bytes
that came, to `other`, which makes a protocol for it.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import re
import socket
import ssl
from collections.abc import Callable, Coroutine
from ipaddress import ip_address
from typing import Final, cast

from homeportd.edge.connections.admission import Admission, PendingConnection
from homeportd.edge.connections.link import CONFIG, ConnectionHandler, Link
from homeportd.edge.listeners.sockets import PortInUse, bind
from homeportd.tunnels import protocol
from homeportd.yamux.aio import Session
from homeportd.yamux.frames import Role

MAX_HEAD: Final = 16 * 1024  # bytes of a request for an Upgrade
MAX_FIRST: Final = 64 * 1024  # bytes that are handed on unread
HEAD_S: Final = 10
MAX_ADDRESS: Final = 64  # characters
MAX_LINKS: Final = 8192
BACKLOG: Final = 1024
RETRY_S: Final = 0.5  # before connections are accepted again, after that failed
ALPN: Final = "homeport-tunnel"

_REQUEST: Final = re.compile(rb"([A-Z]{1,16}) ([\x21-\x7e]{1,8000}) HTTP/1\.1")
_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
_SWITCH: Final = (
    f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {protocol.UPGRADE}\r\n\r\n"
).encode()
_TOO_MANY: Final = (
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)

Other = Callable[[], asyncio.Protocol]

_log = logging.getLogger(__name__)


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


def visitor_of(head: bytes, peer: str) -> str:
    """The address that a request came from: Traefik's word for it, the last it added, if Traefik is on this machine."""
    if not _is_loopback(peer):
        return peer
    for line in reversed(head.split(b"\r\n")[1:]):
        name, _, value = line.partition(b":")
        if name.lower() == b"x-forwarded-for":
            return value.rpartition(b",")[2].strip().decode("latin-1")[:MAX_ADDRESS] or peer
    return peer


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


class ClientListener:
    """Takes connections until it is closed."""

    def __init__(self, desk: ConnectionHandler, other: Other) -> None:
        self._desk = desk
        self._other = other
        self._servers: list[asyncio.Server] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.arrivals = Admission()
        self.arriving: set[asyncio.Transport] = set()

    async def listen(self, address: str) -> None:
        """Open the plain door, for Traefik. Raises OSError."""
        loop = asyncio.get_running_loop()
        host, port = split(address)
        self._servers.append(
            await loop.create_server(lambda: _UpgradeDetector(self, loop), host, port, backlog=BACKLOG)
        )

    async def listen_tls(self, address: str, context: ssl.SSLContext) -> None:
        """Open the TLS door, for clients: yamux from the first byte. Raises OSError."""
        host, port = split(address)
        try:
            (sock,) = bind((host,), port, socket.SOCK_STREAM)
        except PortInUse as error:
            raise OSError(errno.EADDRINUSE, f"another program listens on {error}") from None
        sock.listen(BACKLOG)
        self._accepting.append(asyncio.get_running_loop().create_task(self._accept(sock, context)))

    async def _accept(self, listener: socket.socket, context: ssl.SSLContext) -> None:
        """Count connections before TLS begins: who never ends its handshake must be bounded, too."""
        loop = asyncio.get_running_loop()
        with listener:
            while True:
                try:
                    sock, peer = await loop.sock_accept(listener)
                except OSError as error:  # no descriptor is left, most likely
                    _log.warning("cannot accept a client: %s", error.strerror)
                    await asyncio.sleep(RETRY_S)
                    continue
                arrival = self.enter(str(peer[0]))
                if arrival is None:
                    sock.close()
                else:
                    self._spawn(self._secure(sock, context, str(peer[0]), arrival))

    async def _secure(
        self, sock: socket.socket, context: ssl.SSLContext, address: str, arrival: PendingConnection
    ) -> None:
        session = Session(Role.SERVER, CONFIG)
        try:
            # What it returns is of no use: uvloop's gives its own protocol there.
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: session, sock, ssl=context, ssl_handshake_timeout=HEAD_S
            )
        except (OSError, TimeoutError) as error:  # ssl.SSLError is one
            _log.debug("no TLS with %s: %s", address, error)
            sock.close()
            arrival.leave()
            return
        except BaseException:
            sock.close()
            arrival.leave()
            raise
        await Link(session, self._desk, address, arrival).run()

    def other(self) -> asyncio.Protocol:
        """A protocol for what is no link."""
        return self._other()

    def enter(self, address: str) -> PendingConnection | None:
        """Let one more come as far as saying what it wants; None when there are enough."""
        return self.arrivals.enter(address) if len(self._tasks) < MAX_LINKS else None

    def serve(self, session: Session, address: str, arrival: PendingConnection) -> None:
        """Serve a link until it is gone."""
        self._spawn(Link(session, self._desk, address, arrival).run())

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Shut the doors and end the links."""
        for server in self._servers:
            server.close()
        for transport in self.arriving:
            transport.abort()
        tasks = [*self._accepting, *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _UpgradeDetector(asyncio.Protocol):
    """A connection until it is clear what it wants."""

    def __init__(self, door: ClientListener, loop: asyncio.AbstractEventLoop) -> None:
        self._door = door
        self._loop = loop
        self._seen = bytearray()
        self._address = ""
        self._arrival: PendingConnection | None = None
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        made = cast("asyncio.Transport", transport)
        self._address = str((made.get_extra_info("peername") or ("",))[0])
        self._arrival = self._door.enter(self._address)
        if self._arrival is None:
            made.abort()
            return
        self._transport = made
        self._door.arriving.add(made)
        self._timer = self._loop.call_later(HEAD_S, made.abort)

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return
        looked = max(0, len(self._seen) - 3)
        self._seen += data
        end = self._seen.find(b"\r\n\r\n", looked)
        if end < 0 and len(self._seen) < MAX_FIRST:
            return
        transport, seen = self._transport, bytes(self._seen)
        self._leave()
        if 0 <= end <= MAX_HEAD and asks_for_link(seen[:end]):
            self._welcome(transport, seen[:end], seen[end + 4 :])
            return
        other = self._door.other()
        transport.set_protocol(other)
        other.connection_made(transport)
        other.data_received(seen)

    def _welcome(self, transport: asyncio.Transport, head: bytes, rest: bytes) -> None:
        address = visitor_of(head, self._address)
        arrival = self._door.enter(address)
        if arrival is None:
            transport.write(_TOO_MANY)
            transport.close()
            return
        transport.write(_SWITCH)
        self._door.serve(Session.over(transport, Role.SERVER, CONFIG, rest), address, arrival)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()

    def _leave(self) -> None:
        if self._transport is not None:
            self._door.arriving.discard(self._transport)
            self._transport = None
        self._seen.clear()
        if self._arrival is not None:
            self._arrival.leave()
        if self._timer is not None:
            self._timer.cancel()


def split(address: str) -> tuple[str, int]:
    """(host, port) of `127.0.0.1:7070` or `[::1]:7070`."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
