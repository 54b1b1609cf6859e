"""A link: one connection to the edge, with its yamux session and the control stream on it."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from time import monotonic
from typing import Final

from homeportd.tunnels import account as accounts
from homeportd.tunnels import protocol, proxy_connect, transport
from homeportd.tunnels.account import Account
from homeportd.tunnels.address import EdgeAddress
from homeportd.tunnels.errors import Reason, TunnelError
from homeportd.tunnels.protocol import MAX_LINE, BadMessage, Refusal
from homeportd.tunnels.proxy_connect import Way
from homeportd.yamux.aio import Session
from homeportd.yamux.errors import YamuxError
from homeportd.yamux.stream import Stream

HELLO_S: Final = 10.0  # seconds for the edge to answer a hello
MAX_UNKNOWN: Final = 100  # messages on one link that are not understood: a later edge may have new kinds

FromEdge = protocol.Welcome | protocol.Refused | protocol.Opened | protocol.Closed | protocol.Rotate

_log = logging.getLogger(__name__)
_REASONS: Final = {
    Refusal.TOKEN: Reason.TOKEN,
    Refusal.VERSION: Reason.VERSION,
    Refusal.LIMIT: Reason.LIMIT,
    Refusal.NAME_TAKEN: Reason.TAKEN,
    Refusal.PORT_TAKEN: Reason.PORT,
    Refusal.TAKEN_OVER: Reason.TAKEN,
    Refusal.NETWORK_BAD: Reason.NETWORK,
}
_LASTING: Final = frozenset((Refusal.TOKEN, Refusal.VERSION, Refusal.BAD))


@dataclass(frozen=True)
class ClientIdentity:
    """The identity of a client in each hello. `run`: names its process, whose links have it in common."""

    run: str
    client: str  # what a person would call the machine: its host name
    agent: str = transport.AGENT


def error_of(refusal: protocol.Refused, *, local: bool = False) -> TunnelError:
    """The error for a refusal. `local`: by this machine's own edge, which has another way to a new token."""
    reason = _REASONS.get(refusal.reason, Reason.REQUEST)
    fix = accounts.RENEW if local and reason is Reason.TOKEN else refusal.fix
    return TunnelError(reason, refusal.detail, fix, lasting=refusal.reason in _LASTING)


class Link:
    """A link, made by `open` or `of`; its owner closes it."""

    def __init__(
        self,
        number: int,
        session: Session,
        control: Stream,
        welcome: protocol.Welcome,
        token: str,
        *,
        local: bool = False,
    ) -> None:
        self.number = number
        self.local = local  # to this machine's own edge
        self.token = token  # of its hello, or its successor
        self.session = session
        self.welcome = welcome
        self.opened_at = monotonic()
        self.refusal: TunnelError | None = None  # the error for which the edge ended the link, if it sent one
        self._control = control

    @classmethod
    async def of(cls, account: Account, number: int, identity: ClientIdentity) -> Link:
        """A link with the edge and token of an account. Raises TunnelError."""
        context = transport.tls_context(account.address, account.ca)
        way = proxy_connect.way(account)
        return await cls.open(
            number, account.address, context, account.token, identity, local=account.local, way=way
        )

    @classmethod
    async def open(
        cls,
        number: int,
        address: EdgeAddress,
        context: ssl.SSLContext | None,
        token: str,
        identity: ClientIdentity,
        *,
        local: bool = False,
        way: Way | None = None,
    ) -> Link:
        """Dial the edge, send a hello, read the welcome. Raises TunnelError."""
        session = await transport.connect(address, context, way)
        try:
            async with asyncio.timeout(HELLO_S):
                control = await session.open()
                hello = protocol.Hello(
                    version=protocol.VERSION,
                    token=token,
                    run=identity.run,
                    link=number,
                    client=identity.client,
                    agent=identity.agent,
                )
                control.write(protocol.encode(hello))
                answer = protocol.from_edge(await control.readline(MAX_LINE))
        except TimeoutError:
            session.abort()
            raise TunnelError(
                Reason.UNREACHABLE,
                f"{address} does not answer a hello within {HELLO_S:g} s",
                "look for the cause there; on the edge: homeport doctor",
            ) from None
        except (YamuxError, BadMessage, ValueError) as error:
            session.abort()
            raise TunnelError(
                Reason.UNREACHABLE,
                f"{address} ended the connection at hello ({error})",
                "check that it is an edge of Homeport; on the edge: homeport doctor",
            ) from error
        except BaseException:
            session.abort()
            raise
        if isinstance(answer, protocol.Welcome):
            return cls(number, session, control, answer, token, local=local)
        session.abort()
        if isinstance(answer, protocol.Refused):
            raise error_of(answer, local=local)
        raise TunnelError(
            Reason.VERSION,
            f"{address} answers a hello with {answer.type!r}",
            "install the same release of Homeport on both",
        )

    @property
    def age_s(self) -> float:
        """Seconds since the link was opened."""
        return monotonic() - self.opened_at

    def send(self, message: protocol.Open | protocol.Close | protocol.Rotated) -> bool:
        """Send a message to the edge; False when the link is gone."""
        try:
            self._control.write(protocol.encode(message))
        except YamuxError as error:
            self.session.abort(f"a message could not be sent: {error}")
            return False
        return True

    async def messages(self) -> AsyncIterator[FromEdge]:
        """The edge's messages, until the link is gone. Messages that are not understood are left out."""
        unknown = 0
        try:
            while line := await self._control.readline(MAX_LINE):
                try:
                    yield protocol.from_edge(line)
                except BadMessage as error:
                    unknown += 1
                    if unknown > MAX_UNKNOWN:
                        raise ValueError("too many messages that are not understood") from error
                    _log.debug("link %d: not understood: %s", self.number, error)
        except YamuxError:
            pass
        except ValueError as error:
            self.session.abort(f"the edge does not speak our protocol: {error}")
        finally:
            self.session.abort("the control stream ended")

    async def close(self) -> None:
        """End the link in order: go-away, then the connection."""
        await self.session.close()
