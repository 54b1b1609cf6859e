"""One connection to the edge: its session, and the control stream on it."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from time import monotonic
from typing import Final

from homeportd.tunnels import account as accounts
from homeportd.tunnels import protocol, transport
from homeportd.tunnels.account import Account
from homeportd.tunnels.address import EdgeAddress
from homeportd.tunnels.errors import Problem, Reason
from homeportd.tunnels.protocol import MAX_LINE, BadMessage, Refusal
from homeportd.yamux.aio import Session
from homeportd.yamux.errors import YamuxError
from homeportd.yamux.stream import Stream

HELLO_S: Final = 10.0  # seconds for the edge to answer a hello
MAX_NONSENSE: Final = (
    100  # messages on one link that are not understood: a later edge may say more than we know
)

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
class Who:
    """What a client says of itself in each hello."""

    run: str
    client: str
    agent: str = transport.AGENT


def problem_of(refusal: protocol.Refused, *, local: bool = False) -> Problem:
    """The edge's no, as a problem; `local`: it is this machine's own, which has another way to a new token."""
    reason = _REASONS.get(refusal.reason, Reason.REQUEST)
    fix = accounts.RENEW if local and reason is Reason.TOKEN else refusal.fix
    return Problem(reason, refusal.detail, fix, lasting=refusal.reason in _LASTING)


class Link:
    """Made by `open`; to be closed by whoever has it."""

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
        self.token = token  # which the edge knows it by
        self.session = session
        self.welcome = welcome
        self.opened_at = monotonic()
        self.ended: Problem | None = None  # the edge's last word on this link, if it had one
        self._control = control

    @classmethod
    async def of(cls, account: Account, number: int, who: Who) -> Link:
        """As `open`, for what an account says. Raises Problem."""
        context = transport.tls_context(account.address, account.ca)
        return await cls.open(number, account.address, context, account.token, who, local=account.local)

    @classmethod
    async def open(
        cls,
        number: int,
        address: EdgeAddress,
        context: ssl.SSLContext | None,
        token: str,
        who: Who,
        *,
        local: bool = False,
    ) -> Link:
        """Dial, say hello, be welcomed. Raises Problem."""
        session = await transport.connect(address, context)
        try:
            async with asyncio.timeout(HELLO_S):
                control = await session.open()
                hello = protocol.Hello(
                    version=protocol.VERSION,
                    token=token,
                    run=who.run,
                    link=number,
                    client=who.client,
                    agent=who.agent,
                )
                control.write(protocol.encode(hello))
                answer = protocol.from_edge(await control.readline(MAX_LINE))
        except TimeoutError:
            session.abort()
            raise Problem(
                Reason.UNREACHABLE,
                f"{address} does not answer a hello within {HELLO_S:g} s",
                "see what is wrong there; on the edge: homeport doctor",
            ) from None
        except (YamuxError, BadMessage, ValueError) as error:
            session.abort()
            raise Problem(
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
            raise problem_of(answer, local=local)
        raise Problem(
            Reason.VERSION,
            f"{address} answers a hello with {answer.type!r}",
            "install the same release of Homeport on both",
        )

    @property
    def age_s(self) -> float:
        """For how long it has been up."""
        return monotonic() - self.opened_at

    def tell(self, message: protocol.Open | protocol.Close | protocol.Rotated) -> bool:
        """Say something to the edge; False when the link is gone."""
        try:
            self._control.write(protocol.encode(message))
        except YamuxError as error:
            self.session.abort(f"the edge could not be told something: {error}")
            return False
        return True

    async def messages(self) -> AsyncIterator[FromEdge]:
        """What the edge says, until the link is gone. A message of a kind that we do not know is left out."""
        nonsense = 0
        try:
            while line := await self._control.readline(MAX_LINE):
                try:
                    yield protocol.from_edge(line)
                except BadMessage as error:
                    nonsense += 1
                    if nonsense > MAX_NONSENSE:
                        raise ValueError("too many messages that are none") from error
                    _log.debug("link %d: not understood: %s", self.number, error)
        except YamuxError:
            pass
        except ValueError as error:
            self.session.abort(f"the edge does not speak our protocol: {error}")
        finally:
            self.session.abort("the control stream ended")

    async def close(self) -> None:
        """Say good-bye, and end."""
        await self.session.close()
