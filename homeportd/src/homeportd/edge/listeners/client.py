"""The listener for clients, behind Traefik or with TLS of its own, and for whatever else Traefik sends to the edge.

Raw asyncio: a link's connection must not belong to a web server. A request that is no Upgrade of a client is handed,
with the bytes that came, to an HTTP protocol.
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

from homeportd.connection_peers import ConnectionPeers, forbidden
from homeportd.edge.connections.admission import Admission, PendingConnection
from homeportd.edge.connections.link import CONFIG
from homeportd.edge.listeners.sockets import PortInUse, bind
from homeportd.tasks import TaskSet
from homeportd.tunnels import protocol as tunnel_protocol
from homeportd.yamux.aio import Session
from homeportd.yamux.frames import Role

MAX_HEAD: Final = 16 * 1024  # bytes of a request for an Upgrade
MAX_FIRST: Final = 64 * 1024  # bytes without an end of the head: they are handed on as they are
HEAD_S: Final = 10  # for a whole request head, or for the TLS handshake
MAX_ADDRESS: Final = 64  # characters
MAX_LINKS: Final = 8192
BACKLOG: Final = 1024
RETRY_S: Final = 0.5  # before connections are accepted again, after that failed
ALPN: Final = "homeport-tunnel"

_REQUEST: Final = re.compile(rb"([A-Z]{1,16}) ([\x21-\x7e]{1,8000}) HTTP/1\.1")
_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
_SWITCH: Final = (
    f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {tunnel_protocol.UPGRADE}\r\n\r\n"
).encode()
_TOO_MANY: Final = (
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)

# Serves one connection of a client: its session, the client's address, and its entry among the pending ones.
Handler = Callable[[Session, str, PendingConnection], Coroutine[None, None, None]]
HttpProtocol = Callable[[], asyncio.Protocol]

_log = logging.getLogger(__name__)


def asks_for_link(head: bytes) -> bool:
    """Whether a whole head, up to its empty line, is the Upgrade of a client.

    Strict: exactly this target, the method GET, no body; a head that is malformed asks for nothing.
    """
    lines = head.split(b"\r\n")
    match = _REQUEST.fullmatch(lines[0])
    if match is None or match[1] != b"GET" or match[2].partition(b"?")[0] != tunnel_protocol.PATH.encode():
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
        and fields.get(b"upgrade") == tunnel_protocol.UPGRADE.encode()
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
    """Accepts connections until `stop`; links that were made live until `close`.

    Plain connections are `traefik`'s alone: their heads say who the visitor is. Others learn that clients use `url`.
    """

    def __init__(self, handler: Handler, http: HttpProtocol, traefik: ConnectionPeers, url: str) -> None:
        self.traefik = traefik
        self.refusal = forbidden(f"use {url}")
        self._handler = handler
        self._http = http
        self._servers: list[asyncio.Server] = []
        self._accepting = TaskSet()
        self._tasks = TaskSet()
        self._admission = Admission()
        self._detecting: set[asyncio.Transport] = set()

    async def listen(self, address: str) -> None:
        """Listen for plain connections, which are Traefik's. Raises OSError."""
        loop = asyncio.get_running_loop()
        host, port = _split(address)
        self._servers.append(
            await loop.create_server(lambda: _UpgradeDetector(self, loop), host, port, backlog=BACKLOG)
        )

    async def listen_tls(self, address: str, context: ssl.SSLContext) -> None:
        """Listen for clients over TLS, which speak yamux from the first byte. Raises OSError."""
        host, port = _split(address)
        try:
            (sock,) = bind((host,), port, socket.SOCK_STREAM)
        except PortInUse as error:
            raise OSError(errno.EADDRINUSE, f"another program listens on {error}") from None
        sock.listen(BACKLOG)
        self._accepting.spawn(self._accept(sock, context), "accepting clients")

    async def _accept(self, listener: socket.socket, context: ssl.SSLContext) -> None:
        """Count connections before TLS begins: handshakes that never end must be bounded, too."""
        loop = asyncio.get_running_loop()
        with listener:
            while True:
                try:
                    sock, peer = await loop.sock_accept(listener)
                except OSError as error:  # no descriptor is left, most likely
                    _log.warning("cannot accept a client: %s", error.strerror)
                    await asyncio.sleep(RETRY_S)
                    continue
                pending = self.admit(str(peer[0]))
                if pending is None:
                    sock.close()
                else:
                    self._tasks.spawn(self._handshake(sock, context, str(peer[0]), pending), "a handshake")

    async def _handshake(
        self, sock: socket.socket, context: ssl.SSLContext, address: str, pending: PendingConnection
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
            pending.leave()
            return
        except BaseException:
            sock.close()
            pending.leave()
            raise
        await self._handler(session, address, pending)

    # Called by `_UpgradeDetector`

    def admit(self, address: str) -> PendingConnection | None:
        """Let one more connection send its head or hello; None when there are enough."""
        return self._admission.enter(address) if len(self._tasks) < MAX_LINKS else None

    def detecting(self, transport: asyncio.Transport) -> None:
        """Abort `transport` at the end, unless it is `detected` before."""
        self._detecting.add(transport)

    def detected(self, transport: asyncio.Transport) -> None:
        """The connection has a handler of its own, or is gone."""
        self._detecting.discard(transport)

    def serve_link(self, session: Session, address: str, pending: PendingConnection) -> None:
        """Serve a link until it is gone."""
        self._tasks.spawn(self._handler(session, address, pending), "a link")

    def serve_http(self, transport: asyncio.Transport, received: bytes) -> None:
        """Hand a connection over to the HTTP protocol, with what it sent."""
        protocol = self._http()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(received)

    def stop(self) -> None:
        """Accept no more. Links live on."""
        for server in self._servers:
            server.close()
        self._accepting.cancel()

    async def close(self) -> None:
        """Accept no more, and end every link."""
        self.stop()
        for transport in self._detecting:
            transport.abort()
        await self._accepting.close()
        await self._tasks.close()


class _UpgradeDetector(asyncio.Protocol):
    """The protocol of a plain connection until its first request head is there."""

    def __init__(self, listener: ClientListener, loop: asyncio.AbstractEventLoop) -> None:
        self._listener = listener
        self._loop = loop
        self._seen = bytearray()
        self._address = ""
        self._pending: PendingConnection | None = None
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        made = cast("asyncio.Transport", transport)
        if not self._listener.traefik.admits(made):
            made.write(self._listener.refusal)
            made.close()
            return
        self._address = str((made.get_extra_info("peername") or ("",))[0])
        self._pending = self._listener.admit(self._address)
        if self._pending is None:
            made.abort()
            return
        self._transport = made
        self._listener.detecting(made)
        self._timer = self._loop.call_later(HEAD_S, made.abort)

    def data_received(self, data: bytes) -> None:
        if self._transport is None:
            return
        searched = max(0, len(self._seen) - 3)
        self._seen += data
        end = self._seen.find(b"\r\n\r\n", searched)
        if end < 0 and len(self._seen) < MAX_FIRST:
            return
        transport, seen = self._transport, bytes(self._seen)
        self._leave()
        if 0 <= end <= MAX_HEAD and asks_for_link(seen[:end]):
            self._upgrade(transport, seen[:end], seen[end + 4 :])
        else:
            self._listener.serve_http(transport, seen)

    def _upgrade(self, transport: asyncio.Transport, head: bytes, rest: bytes) -> None:
        address = visitor_of(head, self._address)
        pending = self._listener.admit(address)
        if pending is None:
            transport.write(_TOO_MANY)
            transport.close()
            return
        transport.write(_SWITCH)
        self._listener.serve_link(Session.over(transport, Role.SERVER, CONFIG, rest), address, pending)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()

    def _leave(self) -> None:
        if self._transport is not None:
            self._listener.detected(self._transport)
            self._transport = None
        self._seen.clear()
        if self._pending is not None:
            self._pending.leave()
        if self._timer is not None:
            self._timer.cancel()


def _split(address: str) -> tuple[str, int]:
    """(host, port) of `127.0.0.1:7070` or `[::1]:7070`."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
