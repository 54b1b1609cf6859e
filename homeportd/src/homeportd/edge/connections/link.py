"""A link: one connection of a client, with its yamux session and its control stream of JSON lines."""

from __future__ import annotations

import asyncio
import contextlib
from time import monotonic
from typing import Final

from homeportd.auth.model import Token
from homeportd.edge.model import Refused
from homeportd.token_bucket import TokenBucket
from homeportd.tunnels import protocol
from homeportd.tunnels.protocol import MAX_LINE, BadMessage, Refusal
from homeportd.yamux.aio import Session
from homeportd.yamux.config import KIB, MIB, Config
from homeportd.yamux.errors import YamuxError
from homeportd.yamux.stream import Stream

HELLO_S: Final = 10  # for a client to send its hello
LINES_BURST: Final = 2 * protocol.MAX_TUNNELS  # control messages: so many at once,
LINES_PER_S: Final = 50  # so many a second after that; more are read later
LAST_MESSAGE_S: Final = 0.5  # for the last message to arrive

CONFIG: Final = Config(
    max_streams=16 * KIB,  # visitors on one link
    max_unread=64 * MIB,  # of one client's answers, which visitors take too slowly
    receive_budget=64 * MIB,
    keepalive_interval=protocol.HEARTBEAT_S,
    open_timeout=10.0,
    close_timeout=30.0,
)


class Link:
    """A connection from its hello on; `edge.connection_handler` serves it."""

    def __init__(self, session: Session, address: str) -> None:
        self.session = session
        self.address = address  # of the client, as text
        self.token: Token | None = None  # set when the hello was admitted
        self.number = 0  # which link of its client this is, from the hello
        self.agent = ""  # program and version of the client, from the hello
        self._control: Stream | None = None
        self._ending = False
        self._lines = TokenBucket(LINES_BURST, LINES_PER_S)

    async def receive_hello(self) -> protocol.Hello:
        """The client's first message. Raises Refused, TimeoutError, YamuxError, and ValueError for no line."""
        async with asyncio.timeout(HELLO_S):
            self._control = await self.session.accept()
            hello = _read(await self._control.readline(MAX_LINE))
        if not isinstance(hello, protocol.Hello):
            raise Refused(Refusal.BAD, "the first message is no hello", "use a client of Homeport")
        if hello.version != protocol.VERSION:
            raise Refused(
                Refusal.VERSION,
                f"the client speaks version {hello.version}, this edge {protocol.VERSION}",
                "install the same release of Homeport on both",
            )
        self.number, self.agent = hello.link, hello.agent
        return hello

    async def receive(self) -> object | None:
        """The next message after the hello; None at the end of the control stream.

        Raises Refused for a message that is none, YamuxError, ValueError.
        """
        assert self._control is not None  # noqa: S101 - the hello came on it
        line = await self._control.readline(MAX_LINE)
        if not line:
            return None
        if not self._lines.take(monotonic()):
            await asyncio.sleep(1 / LINES_PER_S)
        return _read(line)

    def tell(self, message: protocol._Message) -> None:
        """Send a message. A client that does not read its control stream is cut off."""
        if self._control is None or self._ending:
            return
        try:
            self._control.write(protocol.encode(message))
        except YamuxError as error:
            self.session.abort(f"a message to the client could not be sent: {error}")

    async def end(self, refusal: Refused) -> None:
        """Send the refusal, and end the link shortly after."""
        self.tell(refused_message(refusal, None))
        self._ending = True
        with contextlib.suppress(YamuxError, TimeoutError):
            async with asyncio.timeout(LAST_MESSAGE_S):
                if self._control is not None:
                    self._control.write_eof()
                    await self._control.wait_sent()
                    # The client reads it and goes, or the time is over.
                    await self.session.wait_closed()
        self.session.abort("the client was refused")


def refused_message(refusal: Refused, request: int | None) -> protocol.Refused:
    """The message about a refusal; `request` is the number of the client's request, None: of the whole link."""
    return protocol.Refused(request=request, reason=refusal.reason, detail=refusal.detail, fix=refusal.fix)


def _read(line: bytes) -> object:
    if not line.endswith(b"\n"):
        raise ValueError("the control stream ended")
    try:
        return protocol.from_client(line)
    except BadMessage as error:
        raise Refused(Refusal.BAD, str(error), "use a client of Homeport of this release") from None
