"""The tunnels of a client, and what is said about them with the edge: asked for, given, refused, ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import monotonic
from typing import Final

from homeportd.tunnels import protocol
from homeportd.tunnels.errors import Problem, Reason
from homeportd.tunnels.link import problem_of
from homeportd.tunnels.model import State, TunnelSpec
from homeportd.tunnels.protocol import MAX_TUNNELS, Refusal
from homeportd.tunnels.tunnel import Tunnel

ANSWER_S: Final = 20.0  # seconds for the edge to answer an `open`
UNKNOWN_S: Final = 2.0  # a visitor may overtake, on another link, the word that its tunnel is open

_log = logging.getLogger(__name__)
_FINAL: Final = {"taken-over": State.TAKEN_OVER, "killed": State.KILLED, "revoked": State.REVOKED}
_NOT_OURS: Final = frozenset(
    (Refusal.NAME_TAKEN, Refusal.NAME_BAD, Refusal.PORT_TAKEN, Refusal.PORT_RANGE, Refusal.DOMAIN)
)


class Negotiation:
    """`tell` says something to the edge on any link; False when there is none."""

    def __init__(self, tell: Callable[[protocol.Open | protocol.Close], bool]) -> None:
        self.tunnels: dict[str, Tunnel] = {}
        self._tell = tell
        self._by_id: dict[str, Tunnel] = {}  # the edge's ids
        self._asked: dict[int, Tunnel] = {}  # requests without an answer
        self._ended: dict[str, protocol.Close] = {}  # by the edge's ids; it may not have heard of them
        self._requests = 0
        self._keys = 0
        self._news: list[asyncio.Future[None]] = []

    # For the owner of the client

    def add(self, spec: TunnelSpec, name: str | None = None, port: int | None = None) -> Tunnel:
        """Ask for a tunnel, that of a name or port it had before. Raises Problem when there are too many."""
        if len(self.tunnels) >= MAX_TUNNELS:
            raise Problem(
                Reason.LIMIT,
                f"there are {MAX_TUNNELS} tunnels already",
                "homeport tunnels remove one of them",
            )
        self._keys += 1
        key = f"t{self._keys}"
        tunnel = self.tunnels[key] = Tunnel(key, spec)
        tunnel.name, tunnel.port = spec.name or name, spec.port or port
        self.ask(tunnel)
        return tunnel

    def remove(self, tunnel: Tunnel, *, forget: bool = False) -> None:
        """End a tunnel and its visitors; `forget`: and what the edge reserved for it just now."""
        self.tunnels.pop(tunnel.key, None)
        if tunnel.request is not None:
            self._asked.pop(tunnel.request, None)
        if tunnel.id is not None and self._by_id.get(tunnel.id) is tunnel:
            del self._by_id[tunnel.id]
            close = self._ended[tunnel.id] = protocol.Close(tunnel=tunnel.id, forget=forget)
            if len(self._ended) > MAX_TUNNELS:
                del self._ended[next(iter(self._ended))]
            if tunnel.state is State.LIVE:
                self._tell(close)
        tunnel.cut()

    @property
    def any_live(self) -> bool:
        """Whether visitors can come."""
        return any(tunnel.state is State.LIVE for tunnel in self.tunnels.values())

    async def find(self, edge_id: str) -> Tunnel | None:
        """The tunnel of a visitor."""
        found = self._by_id.get(edge_id)
        if found is not None or not self._asked:
            return found
        try:
            async with asyncio.timeout(UNKNOWN_S):
                while edge_id not in self._by_id and self._asked:
                    await self.news()
        except TimeoutError:
            pass
        return self._by_id.get(edge_id)

    async def news(self) -> None:
        """Wait until something happened."""
        waiter = asyncio.get_running_loop().create_future()
        self._news.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._news:
                self._news.remove(waiter)

    def notify(self) -> None:
        """Wake whoever waits for news."""
        waiters, self._news = self._news, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    # For the client

    def linked(self) -> None:
        """There is a link, after there was none: ask for everything, and for nothing that ended meanwhile.

        An edge that has not noticed yet that the last link was lost holds it for this client still.
        """
        for close in self._ended.values():
            self._tell(close)
        self._ended.clear()
        for tunnel in self.tunnels.values():
            self.ask(tunnel)

    def one_link_less(self) -> None:
        """What was asked on the link that is gone may have no answer."""
        for tunnel in list(self._asked.values()):
            self.ask(tunnel)

    def unlinked(self, problem: Problem) -> None:
        """No link is left."""
        self._asked.clear()
        for tunnel in self.tunnels.values():
            if not tunnel.is_final:
                tunnel.become(State.OFFLINE, problem)

    def tick(self) -> None:
        """Measure, and ask again where it is time to; once a second."""
        now = monotonic()
        for tunnel in list(self.tunnels.values()):
            tunnel.sample()
            if tunnel.retry_at is not None and tunnel.retry_at <= now:
                self.ask(tunnel)

    def ask(self, tunnel: Tunnel) -> None:
        """Ask the edge for a tunnel, if there is a link."""
        if tunnel.is_final:
            return
        if tunnel.request is not None:
            self._asked.pop(tunnel.request, None)
        self._requests += 1
        number = self._requests
        message = tunnel.spec.open(number, tunnel.name, tunnel.port, again=tunnel.id is not None)
        if not self._tell(message):
            return
        tunnel.become(State.OPENING)
        tunnel.request = number
        tunnel.retry_at = monotonic() + ANSWER_S
        self._asked[number] = tunnel

    def opened(self, said: protocol.Opened) -> None:
        """The edge gave a tunnel."""
        tunnel = self._asked.pop(said.request, None)
        if tunnel is None:
            if said.tunnel not in self._by_id:  # removed meanwhile
                self._tell(protocol.Close(tunnel=said.tunnel))
            return
        if tunnel.id is not None and self._by_id.get(tunnel.id) is tunnel:
            del self._by_id[tunnel.id]
        self._by_id[said.tunnel] = tunnel
        self._ended.pop(said.tunnel, None)
        if said.address != tunnel.address:
            _log.info("%s is %s", tunnel.spec.target, said.address)
        tunnel.id, tunnel.address = said.tunnel, said.address
        tunnel.name, tunnel.port = said.name or tunnel.name, said.port or tunnel.port
        tunnel.become(State.LIVE)

    def refused(self, said: protocol.Refused) -> None:
        """The edge did not give a tunnel."""
        tunnel = self._asked.pop(-1 if said.request is None else said.request, None)
        if tunnel is None:
            return
        problem = problem_of(said)
        _log.warning("%s was refused: %s", tunnel.spec.target, problem.detail)
        if said.reason is Refusal.TAKEN_OVER:
            tunnel.become(State.TAKEN_OVER, _last_word(State.TAKEN_OVER, tunnel.spec.target, said.detail))
            tunnel.cut()
            return
        tunnel.become(State.REFUSED, problem)
        if (
            said.reason in _NOT_OURS
        ):  # what the edge chose once is not ours for ever; what a person chose stays
            tunnel.name, tunnel.port = tunnel.spec.name, tunnel.spec.port
        tunnel.ask_again_later()

    def closed(self, said: protocol.Closed) -> None:
        """The edge ended a tunnel."""
        tunnel = self._by_id.get(said.tunnel)
        if tunnel is None or tunnel.is_final or tunnel.state is State.OPENING:
            return  # the end of what we had before we asked again
        state = _FINAL.get(said.reason)
        label = tunnel.address or tunnel.spec.target
        if state is None:
            why = Problem(Reason.ENDED, said.detail or f"the edge closed {label}", "it is asked for again")
            tunnel.become(State.REFUSED, why)
            tunnel.ask_again_later()
        else:
            why = _last_word(state, label, said.detail)
            tunnel.become(state, why)
            tunnel.cut()
        _log.warning("%s: %s", label, why.detail)


def _last_word(state: State, label: str, detail: str) -> Problem:
    if state is State.TAKEN_OVER:
        return Problem(
            Reason.TAKEN,
            detail or f"a newer client has taken {label} over",
            "end that one, or start this one again to take it back",
            lasting=True,
        )
    if state is State.KILLED:
        return Problem(
            Reason.ENDED, detail or f"the owner of the edge ended {label}", "start it again", lasting=True
        )
    return Problem(
        Reason.TOKEN,
        detail or f"the token behind {label} was revoked",
        "homeport init, which takes a new token; on the edge itself it makes one",
        lasting=True,
    )
