"""A small edge over the real protocol and yamux: enough to be a client's peer, and to misbehave on demand."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from datetime import timedelta
from ipaddress import ip_address, ip_network

from homeportd import clock
from homeportd.tunnels import protocol
from homeportd.tunnels.protocol import Kind, Refusal
from homeportd.yamux.aio import Session
from homeportd.yamux.bridge import Bridge
from homeportd.yamux.config import Config
from homeportd.yamux.errors import YamuxError
from homeportd.yamux.frames import Role
from homeportd.yamux.stream import Stream

CONFIG = Config(max_streams=16 * 1024, keepalive_interval=protocol.HEARTBEAT_S, close_timeout=1.0)


class Link:
    """One connection of a client."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.control: Stream | None = None
        self.hello: protocol.Hello | None = None
        self.said: list[object] = []

    def tell(self, message: protocol._Message) -> None:
        assert self.control is not None
        self.control.write(protocol.encode(message))


class Edge:
    """`ports` are for TCP and UDP; `links` are those that said hello; `asked` every `open` ever."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.ports = ports
        self.tokens = {"hp_good"}
        self.taken: set[str | int] = set()
        self.links: list[Link] = []
        self.asked: list[protocol.Open] = []
        self.tunnels: dict[str, protocol.Open] = {}
        self.closed: list[str] = []
        self.version = protocol.VERSION
        self.skew = timedelta()
        self.status = 101
        self.max_links = protocol.MAX_LINKS
        self.silent = False
        self.port = 0
        self.visits = 0
        self._server: asyncio.Server | None = None
        self._listeners: dict[str, asyncio.Server] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._raw = False

    async def start(self, port: int = 0, tls: ssl.SSLContext | None = None, *, raw: bool = False) -> None:
        """Listen on loopback; `raw`: yamux at once, without an Upgrade."""
        self._raw = raw
        self._server = await asyncio.start_server(self._arrived, "127.0.0.1", port, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """As if it died."""
        if self._server is not None:
            self._server.close()
        for link in list(self.links):
            link.session.abort()
        for server in self._listeners.values():
            server.close()
        self._listeners.clear()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _arrived(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        received = b""
        try:
            if not self._raw:
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(f"GET {protocol.PATH} HTTP/1.1\r\n".encode())
                assert b"\r\nUpgrade: homeport-tunnel\r\n" in head
                while self.silent:  # noqa: ASYNC110 - a test may end it
                    await asyncio.sleep(0.05)
                if self.status != 101:
                    writer.write(
                        f"HTTP/1.1 {self.status} No\r\nContent-Length: 0\r\n"
                        "Location: https://elsewhere.example/\r\n\r\n".encode()
                    )
                    writer.close()
                    return
                writer.write(
                    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: homeport-tunnel\r\n\r\n"
                )
                await writer.drain()
                received = bytes(reader._buffer)  # type: ignore[attr-defined]
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()
            return
        session = Session.over(writer.transport, Role.SERVER, CONFIG, received)
        link = Link(session)
        # Asyncio 3.11 complains of handlers that were cancelled.
        with contextlib.suppress(YamuxError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await self._serve(link)
        if link in self.links:
            self.links.remove(link)
        session.abort()

    async def _serve(self, link: Link) -> None:
        link.control = await link.session.accept()
        hello = protocol.from_client(await link.control.readline())
        assert isinstance(hello, protocol.Hello)
        link.hello = hello
        refusal = None
        if hello.version != self.version:
            refusal = Refusal.VERSION, "another version", "install the same release"
        elif hello.token not in self.tokens:
            refusal = Refusal.TOKEN, "this token is not known here", "homeport init with one that is"
        elif len(self.links) >= self.max_links:
            refusal = Refusal.LIMIT, "too many links", "use fewer"
        if refusal:
            link.tell(protocol.Refused(reason=refusal[0], detail=refusal[1], fix=refusal[2]))
            link.control.write_eof()
            await link.session.wait_closed()
            return
        self.links.append(link)
        link.tell(
            protocol.Welcome(
                edge="small",
                url="http://{name}.tunnel.localhost:8081",
                host="localhost",
                tcp_ports=f"{self.ports[0]}-{self.ports[-1]}",
                udp_ports=f"{self.ports[0]}-{self.ports[-1]}",
                time=clock.to_text(clock.now() + self.skew),
            )
        )
        while line := await link.control.readline():
            message = protocol.from_client(line)
            link.said.append(message)
            if isinstance(message, protocol.Open):
                await self._open(link, message)
            elif isinstance(message, protocol.Close):
                self.closed.append(message.tunnel)
                self.tunnels.pop(message.tunnel, None)

    async def _open(self, link: Link, asked: protocol.Open) -> None:
        self.asked.append(asked)
        refusal = self._no(asked)
        if refusal:
            link.tell(
                protocol.Refused(
                    request=asked.request, reason=refusal, detail=f"no: {refusal}", fix="mend it"
                )
            )
            return
        name = asked.name or "quiet-otter" if asked.kind is Kind.HTTP else None
        port = None if name else asked.port or next(n for n in self.ports if n not in self.taken)
        tunnel = f"{asked.kind.value}-{name or port}"
        self.tunnels[tunnel] = asked
        if asked.kind is not Kind.UDP and tunnel not in self._listeners:
            await self._listen(tunnel, port or 0)
        at = self._listeners[tunnel].sockets[0].getsockname()[1] if tunnel in self._listeners else port
        address = f"http://localhost:{at}" if name else f"localhost:{at}"
        link.tell(
            protocol.Opened(request=asked.request, tunnel=tunnel, address=address, name=name, port=port)
        )

    def _no(self, asked: protocol.Open) -> Refusal | None:  # noqa: PLR0911
        if asked.name in self.taken:
            return Refusal.NAME_TAKEN
        if asked.port in self.taken:
            return Refusal.PORT_TAKEN
        if asked.port is not None and asked.port not in self.ports:
            return Refusal.PORT_RANGE
        if asked.name and "_" in asked.name:
            return Refusal.NAME_BAD
        if asked.name and "." in asked.name:
            return Refusal.DOMAIN
        for text in asked.allow:
            with contextlib.suppress(ValueError):
                if ip_network(text).prefixlen == 1:
                    return Refusal.NETWORK_BAD
        return None

    async def _listen(self, tunnel: str, port: int) -> None:
        loop = asyncio.get_running_loop()

        class PendingConnection(asyncio.Protocol):
            def connection_made(inner, transport: asyncio.BaseTransport) -> None:
                transport.pause_reading()  # type: ignore[attr-defined]
                task = loop.create_task(self._carry(tunnel, transport))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

        self._listeners[tunnel] = await loop.create_server(PendingConnection, "127.0.0.1", port, backlog=1024)

    async def _carry(self, tunnel: str, transport) -> None:
        try:
            stream = await self.visit(tunnel)
        except (YamuxError, IndexError):
            transport.abort()
            return
        Bridge.join(stream, transport)
        transport.resume_reading()

    async def visit(self, tunnel: str, link: int | None = None, address: str = "192.0.2.7") -> Stream:
        """A visitor's stream, on the links in turn or on a given one."""
        self.visits += 1
        chosen = self.links[self.visits % len(self.links) if link is None else link]
        stream = await chosen.session.open()
        stream.write(protocol.Introduction(tunnel=tunnel, address=ip_address(address), port=4242).encode())
        return stream
