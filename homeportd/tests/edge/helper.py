"""A client of the edge for its tests: the protocol's messages over real sockets, nothing hidden, and hostile on
demand. The real client is tested with the edge in tests/tunnels."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import httpx

from homeportd.tunnels import protocol
from homeportd.tunnels.account import Account
from homeportd.tunnels.client import Client
from homeportd.tunnels.model import State, TunnelSpec
from homeportd.tunnels.protocol import Kind
from homeportd.tunnels.tunnel import Tunnel
from homeportd.yamux.aio import Session
from homeportd.yamux.bridge import Bridge
from homeportd.yamux.config import Config
from homeportd.yamux.errors import YamuxError
from homeportd.yamux.frames import Role
from homeportd.yamux.stream import Stream

PATIENCE_S = 30.0  # for what comes at once, and later on a machine that has other work
Handler = Callable[[protocol.Introduction, Stream], Awaitable[None]]
HEAD = (
    f"GET {protocol.PATH} HTTP/1.1\r\nHost: tunnel.localhost\r\nConnection: Upgrade\r\n"
    f"Upgrade: {protocol.UPGRADE}\r\n\r\n"
).encode()


class _Buffer(asyncio.Protocol):
    """Waits for the answer to the Upgrade."""

    def __init__(self) -> None:
        self.seen = bytearray()
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.seen += data
        if b"\r\n\r\n" in self.seen and not self.answered.done():
            self.answered.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answered.done():
            self.answered.set_exception(ConnectionError("closed before an answer"))


async def upgraded(port: int, config: Config | None = None) -> Session:
    """A yamux session by way of the Upgrade."""
    loop = asyncio.get_running_loop()
    transport, buffer = await loop.create_connection(_Buffer, "127.0.0.1", port)
    transport.write(HEAD)
    await asyncio.wait_for(buffer.answered, PATIENCE_S)
    head, _, rest = bytes(buffer.seen).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 "), head
    return Session.over(transport, Role.CLIENT, config, rest)


class Refused(Exception):
    """The edge said no."""

    def __init__(self, message: protocol.Refused) -> None:
        super().__init__(message.detail)
        self.message = message
        self.reason = message.reason


class TestLink:
    """One link; `handler` gets every visitor."""

    __test__ = False

    def __init__(self, session: Session, control: Stream, handler: Handler) -> None:
        self.session = session
        self.control = control
        self.said: asyncio.Queue[object] = asyncio.Queue()
        self.others: list[object] = []
        self._requests = 0
        self._tasks = {asyncio.create_task(self._listen()), asyncio.create_task(self._accept(handler))}

    async def _listen(self) -> None:
        with contextlib.suppress(YamuxError):
            while line := await self.control.readline():
                self.said.put_nowait(protocol.from_edge(line))
        self.said.put_nowait(None)

    async def _accept(self, handler: Handler) -> None:
        async for stream in self.session:
            task = asyncio.create_task(self._serve(handler, stream))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, handler: Handler, stream: Stream) -> None:
        with contextlib.suppress(YamuxError, OSError, asyncio.IncompleteReadError):
            size = int.from_bytes(await stream.readexactly(2), "big")
            await handler(protocol.introduction(await stream.readexactly(size)), stream)
        stream.close()

    async def next(self, kind: type, seconds: float = PATIENCE_S) -> object:
        """The next message of a kind; others are kept in `others`."""
        async with asyncio.timeout(seconds):
            while True:
                message = await self.said.get()
                if isinstance(message, kind):
                    return message
                if message is None:
                    raise ConnectionError("the edge ended the link")
                self.others.append(message)

    def say(self, message: object) -> None:
        """Send a message."""
        self.control.write(protocol.encode(message))

    async def open(self, kind: str, **options: object) -> protocol.Opened:
        """Ask for a tunnel. Raises Refused."""
        self._requests += 1
        self.say(protocol.Open(request=self._requests, kind=kind, **options))
        answer = await self.next((protocol.Opened, protocol.Refused))
        if isinstance(answer, protocol.Refused):
            raise Refused(answer)
        assert answer.request == self._requests
        return answer

    async def close(self) -> None:
        """End the link in good order."""
        self.session.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def refuse(_introduction: protocol.Introduction, stream: Stream) -> None:
    """As a client behind which nothing listens."""
    stream.reset()


def to_port(port: int) -> Handler:
    """As a client whose server is on a port here."""

    async def handle(_introduction: protocol.Introduction, stream: Stream) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, bridge = await loop.create_connection(lambda: Bridge(stream), "127.0.0.1", port)
        except OSError:
            stream.reset()
            return
        await bridge.wait_closed()

    return handle


async def link(
    port: int,
    token: str,
    handler: Handler = refuse,
    *,
    run: str | None = None,
    number: int = 0,
    session: Session | None = None,
    config: Config | None = None,
    **changes: object,
) -> TestLink:
    """Connect and say hello. Raises Refused."""
    session = session or await upgraded(port, config)
    control = await session.open()
    made = TestLink(session, control, handler)
    hello = {"version": 1, "token": token, "run": run or secrets.token_hex(8), "link": number}
    made.say(protocol.Hello(client="laptop", agent="test", **{**hello, **changes}))
    answer = await made.next((protocol.Welcome, protocol.Refused))
    if isinstance(answer, protocol.Refused):
        await made.close()
        raise Refused(answer)
    return made


@asynccontextmanager
async def echo_server() -> AsyncIterator[int]:
    """A TCP server that sends back what it gets, half-close included; the value is its port."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.write_eof()
            await reader.read()
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()  # uvloop would wait for it for ever, where the test has failed


async def until(condition: Callable[[], object], seconds: float = PATIENCE_S) -> object:
    """Wait for something to become true; its value."""
    async with asyncio.timeout(seconds):
        while not (value := condition()):  # noqa: ASYNC110 - another process's or room's state
            await asyncio.sleep(0.005)
        return value


async def until_async(condition: Callable[[], Awaitable[object]], seconds: float = PATIENCE_S) -> object:
    """As `until`, for a question that takes time."""
    async with asyncio.timeout(seconds):
        while not (value := await condition()):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)
        return value


async def within(seconds: float, attempt: Callable[[], Awaitable[float]], times: int = 12) -> None:
    """Assert that one attempt of a few takes fewer seconds, which it returns: others may have waited."""
    took: list[float] = []
    while len(took) < times:
        took.append(await attempt())
        if took[-1] < seconds:
            return
    raise AssertionError(f"not once within {seconds} s, but {took}")


async def ended(process: asyncio.subprocess.Process, seconds: float = 2 * PATIENCE_S) -> int:
    """The status of a process that was told to end; one that does not is killed."""
    try:
        return await asyncio.wait_for(process.wait(), seconds)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise


async def routed(port: int) -> bool:
    """Whether Traefik has its routes: the edge itself answers for a name that leads nowhere."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: none.tunnel.localhost\r\nConnection: close\r\n\r\n")
        answer = await reader.read(-1)
        writer.close()
    except OSError:
        return False
    return b"There is no tunnel of this name" in answer


def over_socket(path: Path) -> httpx.AsyncClient:
    """An HTTP client of one of the agent's sockets."""
    transport = httpx.AsyncHTTPTransport(uds=str(path))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost:8080", timeout=PATIENCE_S)


@asynccontextmanager
async def tunnelled(port: int, token: str, **spec: object) -> AsyncIterator[Tunnel]:
    """The real client with one HTTP tunnel that is live."""
    client = Client(
        lambda: Account(f"http://127.0.0.1:{port}", token, links=1), rotated=lambda _old, _new: True
    )
    running = asyncio.create_task(client.run())
    try:
        tunnel = client.add(TunnelSpec(kind=Kind.HTTP, **spec))
        assert await client.answered(tunnel, PATIENCE_S)
        assert tunnel.state is State.LIVE, tunnel.error
        yield tunnel
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


class Browser:
    """Asks for the first page of an origin, by Traefik's port."""

    def __init__(self, http: httpx.AsyncClient, port: int, origin: str) -> None:
        self._http = http
        self._origin = httpx.URL(origin)
        self._url = f"{self._origin.scheme}://127.0.0.1:{port}/"

    async def ask(
        self, method: str = "GET", content: bytes = b"", fields: Sequence[str] = (), **headers: str
    ) -> httpx.Response:
        """The response to a request."""
        return await self._http.request(
            method,
            self._url,
            params=[("field", field) for field in fields],
            headers={"Host": self._origin.netloc.decode()} | headers,
            extensions={"sni_hostname": self._origin.host},
            content=content,
        )


@asynccontextmanager
async def visiting(
    traefik: SimpleNamespace, origin: str, *, ready: int = 200, **options: object
) -> AsyncIterator[Browser]:
    """A browser, once the first page of an origin has the status `ready`; 0: at once."""
    port = traefik.tls_port if origin.startswith("https:") else traefik.port
    async with httpx.AsyncClient(verify=False, timeout=PATIENCE_S, **options) as http:  # noqa: S501 - Traefik's own
        browser = Browser(http, port, origin)

        async def up() -> bool:
            return (await browser.ask()).status_code == ready

        if ready:
            await until_async(up)
        yield browser
