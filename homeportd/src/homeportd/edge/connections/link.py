"""One connection of a client: its session, and the control stream over which both sides talk."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from time import monotonic
from typing import Final, Protocol

from homeportd.auth.model import Token
from homeportd.edge.connections.admission import PendingConnection
from homeportd.edge.connections.client import Client
from homeportd.edge.model import Refused
from homeportd.token_bucket import TokenBucket
from homeportd.tunnels import protocol
from homeportd.tunnels.protocol import MAX_LINE, BadMessage, Refusal
from homeportd.yamux.aio import Session
from homeportd.yamux.config import KIB, MIB, Config
from homeportd.yamux.errors import YamuxError
from homeportd.yamux.stream import Stream

HELLO_S: Final = 10  # for a client to say who it is
LINES_BURST: Final = 2 * protocol.MAX_TUNNELS  # control messages: so many at once,
LINES_PER_S: Final = 50  # so many a second after that; more are read later
WRONG_TOKEN_S: Final = (
    1.0  # before a wrong token is answered: with few arrivals of one address, guesses are few
)
FAREWELL_S: Final = 0.5  # for a last word to arrive

CONFIG: Final = Config(
    max_streams=16 * KIB,  # visitors on one link
    max_unread=64 * MIB,  # of one client's answers, which visitors take too slowly
    receive_budget=64 * MIB,
    keepalive_interval=protocol.HEARTBEAT_S,
    open_timeout=10.0,
    close_timeout=30.0,
)

_log = logging.getLogger(__name__)


class ConnectionHandler(Protocol):
    """What a link needs of the service."""

    def admit(self, hello: protocol.Hello) -> Token:
        """The token behind a hello. Raises Refused."""

    def join(self, link: Link, hello: protocol.Hello) -> tuple[Client, protocol.Welcome]:
        """Make the link part of its client. Raises Refused."""

    def leave(self, link: Link) -> None:
        """The link is gone."""

    async def open(self, client: Client, message: protocol.Open) -> protocol.Opened:
        """Give the client a tunnel. Raises Refused."""

    async def close_for(self, client: Client, tunnel_id: str, *, forget: bool) -> None:
        """The client wants a tunnel no more."""

    def rotated(self, link: Link) -> None:
        """The client has stored its new token."""

    def greeted(self, link: Link) -> None:
        """The client has been welcomed."""


class Link:
    """`run` serves it until it is gone."""

    def __init__(
        self, session: Session, desk: ConnectionHandler, address: str, arrival: PendingConnection
    ) -> None:
        self.session = session
        self.address = address
        self.token: Token | None = None
        self.client: Client | None = None
        self.number = 0
        self.agent = ""
        self._desk = desk
        self._arrival = arrival  # until it is known who comes
        self._control: Stream | None = None
        self._ending = False
        self._lines = TokenBucket(LINES_BURST, LINES_PER_S)

    async def run(self) -> None:
        """Never raises, but for being cancelled."""
        try:
            await self._serve()
        except Refused as refusal:
            await self.end(refusal)
        except (YamuxError, ValueError, TimeoutError) as error:
            # A peer that is gone, says no line end, or nothing at all.
            _log.debug("link from %s: %s", self.address, error)
        except Exception:
            _log.exception("a link from %s failed", self.address)
        finally:
            self._arrival.leave()
            self._desk.leave(self)
            self.session.abort()

    async def _serve(self) -> None:
        async with asyncio.timeout(HELLO_S):
            self._control = control = await self.session.accept()
            hello = _read(await control.readline(MAX_LINE))
        if not isinstance(hello, protocol.Hello):
            raise Refused(Refusal.BAD, "the first message is no hello", "use a client of Homeport")
        if hello.version != protocol.VERSION:
            raise Refused(
                Refusal.VERSION,
                f"the client speaks version {hello.version}, this edge {protocol.VERSION}",
                "install the same release of Homeport on both",
            )
        try:
            self.token = self._desk.admit(hello)
        except Refused:
            await asyncio.sleep(WRONG_TOKEN_S)
            raise
        self._arrival.leave()
        self.number, self.agent = hello.link, hello.agent
        self.client, welcome = self._desk.join(self, hello)
        self.tell(welcome)
        self._desk.greeted(self)
        surplus = asyncio.create_task(self._refuse_streams())
        try:
            while line := await control.readline(MAX_LINE):
                if not self._lines.take(monotonic()):
                    await asyncio.sleep(1 / LINES_PER_S)
                await self._take(_read(line), self.client)
        finally:
            surplus.cancel()
            await asyncio.gather(surplus, return_exceptions=True)

    async def _take(self, message: object, client: Client) -> None:
        match message:
            case protocol.Open():
                try:
                    self.tell(await self._desk.open(client, message))
                except Refused as refusal:
                    self.tell(_refused(refusal, message.request))
                except sqlite3.Error as error:
                    # A full disk, most likely, which must not cost the client its other tunnels.
                    _log.warning("what a client asks for could not be kept: %s", error)
                    self.tell(_refused(_unwritten(error), message.request))
            case protocol.Close(tunnel=tunnel_id, forget=forget):
                try:
                    await self._desk.close_for(client, tunnel_id, forget=forget)
                except sqlite3.Error as error:
                    _log.warning("a tunnel that was closed could not be removed: %s", error)
            case protocol.Rotated():
                self._desk.rotated(self)
            case _:
                raise Refused(Refusal.BAD, "a second hello on one link", "say hello once")

    async def _refuse_streams(self) -> None:
        async for stream in self.session:
            stream.reset()

    def tell(self, message: protocol._Message) -> None:
        """Say something to the client. One that does not listen is cut off."""
        if self._control is None or self._ending:
            return
        try:
            self._control.write(protocol.encode(message))
        except YamuxError as error:
            self.session.abort(f"the client could not be told something: {error}")

    async def end(self, refusal: Refused) -> None:
        """Say why, and end the link shortly after."""
        self.tell(_refused(refusal, None))
        self._ending = True
        with contextlib.suppress(YamuxError, TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                if self._control is not None:
                    self._control.write_eof()
                    await self._control.wait_sent()
                    # The client reads it and goes, or the time is over.
                    await self.session.wait_closed()
        self.session.abort("the client was refused")


def _refused(refusal: Refused, request: int | None) -> protocol.Refused:
    return protocol.Refused(request=request, reason=refusal.reason, detail=refusal.detail, fix=refusal.fix)


def _unwritten(error: sqlite3.Error) -> Refused:
    return Refused(
        Refusal.LIMIT, f"the edge cannot keep it: {error}", "its owner has to make room on its disk"
    )


def _read(line: bytes) -> object:
    if not line.endswith(b"\n"):
        raise ValueError("the control stream ended")
    try:
        return protocol.from_client(line)
    except BadMessage as error:
        raise Refused(Refusal.BAD, str(error), "use a client of Homeport of this release") from None
