"""A client of an edge: its links, dialled one by one and kept up, with its tunnels on them."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections.abc import Callable, Iterable
from datetime import timedelta
from time import monotonic
from typing import Any, Final

from homeportd import clock
from homeportd.tunnels import connection, protocol
from homeportd.tunnels.account import Account
from homeportd.tunnels.backoff import STABLE_S, Backoff
from homeportd.tunnels.errors import Problem, Reason
from homeportd.tunnels.limits import keep_memory
from homeportd.tunnels.link import FromEdge, Link, Who, problem_of
from homeportd.tunnels.model import State, TunnelSpec
from homeportd.tunnels.negotiation import Negotiation
from homeportd.tunnels.protocol import HEARTBEAT_S, MAX_LINKS, Kind
from homeportd.tunnels.tunnel import Tunnel

SAMPLE_S: Final = 1.0
ROUTED_S: Final = 0.5  # until the edge's Traefik has read the route of a new name, which the edge cannot see
SILENT_S: Final = HEARTBEAT_S + 1.0  # without a byte: a link that lives answers each heartbeat
MAX_SKEW: Final = timedelta(seconds=90)  # between the clocks, before a person is told

_log = logging.getLogger(__name__)


class Client:
    """One process's client. `run` keeps it up until it is cancelled; the rest may be called meanwhile.

    `account` is asked before each dial, so that a new token or address is used at once. `rotated(old, new)`
    stores a new token; it returns False or raises OSError when it could not. `changed` is called whenever
    something happened that a person would want to see.
    """

    def __init__(
        self,
        account: Callable[[], Account],
        *,
        rotated: Callable[[str, str], bool],
        changed: Callable[[], None] = lambda: None,
        links: int | None = None,
        name: str | None = None,
    ) -> None:
        self.board = Negotiation(self._tell)
        self.links: dict[int, Link] = {}
        self.welcome: protocol.Welcome | None = None
        self.skew: timedelta | None = None  # the edge's clock less ours, when it is worth a word
        self.problem: Problem | None = None  # why there is no link, or none more
        self.token_ends: str | None = None  # of a token that has a successor which we were not given
        self.attempts = 0
        self.next_try_at: float | None = None  # by `monotonic`
        self.backoff = Backoff()
        self._account = account
        self._rotated = rotated
        self._changed = changed
        self._wanted = links
        self._most = MAX_LINKS  # less when the edge allows fewer
        self._who = Who(secrets.token_hex(16), (name or socket.gethostname() or "client")[:64])
        self._voice: Link | None = None  # which we spoke on last
        self._rotating = asyncio.Lock()
        self._ending = False
        self._wake = asyncio.Event()
        self._serving: set[asyncio.Task[None]] = set()
        self._visits: set[asyncio.Task[None]] = set()

    # For the owner

    @property
    def tunnels(self) -> dict[str, Tunnel]:
        """By their keys."""
        return self.board.tunnels

    @property
    def is_up(self) -> bool:
        """Whether there is a link."""
        return bool(self.links)

    @property
    def round_trip(self) -> float | None:
        """Seconds to the edge and back, of the best link."""
        times = [link.session.round_trip for link in self.links.values()]
        return min((time for time in times if time is not None), default=None)

    def add(self, spec: TunnelSpec, name: str | None = None, port: int | None = None) -> Tunnel:
        """Ask for a tunnel, now and whenever a link comes back: with the name or port that it had, if any.

        Raises Problem when there are too many.
        """
        tunnel = self.board.add(spec, name, port)
        self._notify()
        return tunnel

    def remove(self, tunnel: Tunnel, *, forget: bool = False) -> None:
        """End a tunnel and its visitors. The edge keeps its reservation; with `forget`, only one of earlier."""
        self.board.remove(tunnel, forget=forget)
        self._notify()

    def nudge(self) -> None:
        """Try now rather than later: something was mended."""
        self.backoff.proven()
        self._wake.set()

    async def settled(self, tunnel: Tunnel, seconds: float) -> bool:
        """Wait until the edge has said yes or no; False when time is over before."""
        try:
            async with asyncio.timeout(seconds):
                while tunnel.state in (State.OFFLINE, State.OPENING):
                    await self.board.news()
        except TimeoutError:
            return False
        return True

    async def routed(self, tunnels: Iterable[Tunnel]) -> None:
        """Wait until visitors of names that were just opened get through, so that who is told an address can use it."""
        if any(tunnel.spec.kind is Kind.HTTP for tunnel in tunnels):
            await asyncio.sleep(ROUTED_S)

    async def run(self) -> None:
        """Keep links up and tunnels open. Ends with everything when it is cancelled, and for nothing else."""
        keep_memory()
        sampler = asyncio.create_task(self._sample())
        try:
            while True:
                number = self._free_number()
                if number is None:
                    self._wake.clear()
                    await self._wake.wait()
                else:
                    await self._pause()
                    await self._dial(number)
        finally:
            sampler.cancel()
            await self._end()

    def view(self) -> dict[str, Any]:
        """For people and programs."""
        round_trip, welcome = self.round_trip, self.welcome
        wait = None if self.next_try_at is None else max(0.0, self.next_try_at - monotonic())
        return {
            "up": self.is_up,
            "edge": welcome.edge if welcome else None,
            "url": welcome.url if welcome else None,
            "links": len(self.links),
            "attempts": self.attempts,
            "round_trip_ms": None if round_trip is None else round(round_trip * 1000, 2),
            "skew_s": None if self.skew is None else round(self.skew.total_seconds()),
            "token_ends": self.token_ends,
            "problem": None if self.problem is None else self.problem.as_dict(),
            "next_try_s": None if wait is None else round(wait, 1),
            "tunnels": [tunnel.view() for tunnel in self.tunnels.values()],
        }

    # Links

    def _free_number(self) -> int | None:
        """The link to dial next; None when there are enough. Before a tunnel is live one is enough."""
        wanted = 1
        if self.links and self.board.any_live:
            wanted = min(self._wanted or self._links_of_account(), self._most)
        if len(self.links) >= wanted:
            return None
        return next(number for number in range(MAX_LINKS) if number not in self.links)

    def _links_of_account(self) -> int:
        try:
            return self._account().links
        except Problem:
            return 1

    async def _pause(self) -> None:
        wait = self.backoff.delay()
        if not wait:
            return
        self.next_try_at = monotonic() + wait
        self._notify()
        try:
            async with asyncio.timeout(wait):
                while self.backoff.failures:  # a nudge sets them to none
                    self._wake.clear()
                    await self._wake.wait()
        except TimeoutError:
            pass
        finally:
            self.next_try_at = None

    async def _dial(self, number: int) -> None:
        try:
            link = await Link.of(self._account(), number, self._who)
        except Problem as problem:
            if problem.reason is Reason.LIMIT and self.links:
                self._most = len(self.links)  # so many and no more
                return
            if problem.lasting:
                self.backoff.lasting()
            else:
                self.backoff.failed()
            if self.problem is None or self.problem.detail != problem.detail:
                _log.warning("no link to the edge: %s", problem.detail)
            self.problem = problem
            return
        finally:
            self.attempts += 1
            self._notify()
        self._joined(link)

    def _joined(self, link: Link) -> None:
        first = not self.links
        self.links[link.number] = link
        self.welcome = link.welcome
        self.token_ends = link.welcome.token_ends
        self.problem = None
        self._check_clock(link.welcome)
        task = asyncio.create_task(self._serve(link))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        if first:
            self._most = MAX_LINKS
            _log.info("linked with the edge %s", link.welcome.edge)
            self.board.linked()
        self._notify()

    async def _serve(self, link: Link) -> None:
        acceptor = asyncio.create_task(self._accept(link))
        proven = asyncio.get_running_loop().call_later(STABLE_S, self.backoff.proven)
        try:
            async for message in link.messages():
                await self._take(link, message)
        except Exception:
            _log.exception("a message of the edge could not be served")
        finally:
            proven.cancel()
            link.session.abort()
            acceptor.cancel()
            self._lost(link)
            await asyncio.gather(acceptor, return_exceptions=True)

    async def _accept(self, link: Link) -> None:
        loop = asyncio.get_running_loop()
        async for stream in link.session:
            task = loop.create_task(connection.receive(stream, self.board.find))
            self._visits.add(task)
            task.add_done_callback(self._visits.discard)

    def _lost(self, link: Link) -> None:
        if self.links.get(link.number) is link:
            del self.links[link.number]
        if self._voice is link:
            self._voice = None
        self.backoff.lost(link.age_s)
        problem = link.ended or Problem(
            Reason.UNREACHABLE,
            f"the link to the edge was lost: {link.session.error}",
            "it is dialled again by itself",
        )
        if problem.lasting:
            self.backoff.lasting()
        if self.links:
            if not self._ending:
                _log.info("link %d lost, %d left: %s", link.number, len(self.links), problem.detail)
            self.board.one_link_less()
        else:
            self.problem = problem
            if not self._ending:
                _log.warning("the edge is gone: %s", problem.detail)
            self.board.unlinked(problem)
        self._wake.set()
        self._notify()

    async def _end(self) -> None:
        self._ending = True
        for tunnel in self.tunnels.values():
            if tunnel.id is not None and tunnel.state is State.LIVE:
                self._tell(protocol.Close(tunnel=tunnel.id))
        await asyncio.gather(*(link.close() for link in self.links.values()), return_exceptions=True)
        tasks = [*self._serving, *self._visits]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # Control

    def _tell(self, message: protocol.Open | protocol.Close) -> bool:
        """Say something on one link, the same as before while it lives: an `open` must not overtake a `close`."""
        overdue = monotonic() - SILENT_S  # one that is silent may be dead, though nobody knows yet

        def worth(link: Link) -> tuple[bool, float]:
            heard = link.session.heard_at or 0.0
            return link is self._voice and heard >= overdue, heard

        for link in sorted(self.links.values(), key=worth, reverse=True):
            if link.tell(message):
                self._voice = link
                return True
        return False

    async def _take(self, link: Link, message: FromEdge) -> None:
        match message:
            case protocol.Opened():
                self.board.opened(message)
                self._wake.set()  # more links are worth while now
            case protocol.Refused(request=None):
                link.ended = problem_of(message, local=link.local)
                link.session.abort("the edge refused the link")
            case protocol.Refused():
                self.board.refused(message)
            case protocol.Closed():
                self.board.closed(message)
            case protocol.Rotate():
                await self._rotate(link, message)
            case protocol.Welcome():
                self.welcome = message
        self._notify()

    async def _rotate(self, link: Link, said: protocol.Rotate) -> None:
        """Store the new token, then say so; several links may bring the same one."""
        async with self._rotating:
            old, new = link.token, said.token  # the account's may be another's since
            if old != new:
                try:
                    stored = await asyncio.to_thread(self._rotated, old, new)
                except OSError as error:
                    stored = False
                    _log.error("the new token cannot be stored: %s", error.strerror or error)
                if not stored:
                    return  # the old one holds for a while; the edge sees that nothing was said
                self.token_ends = None
                for other in (link, *self.links.values()):
                    if other.token == old:
                        other.token = new
                _log.info("the token was replaced; the old one ends in %d s", said.grace_s)
        link.tell(protocol.Rotated())

    # Inside

    async def _sample(self) -> None:
        while True:
            await asyncio.sleep(SAMPLE_S)
            self.board.tick()

    def _check_clock(self, welcome: protocol.Welcome) -> None:
        try:
            skew = clock.from_text(welcome.time) - clock.now()
        except ValueError:
            return
        self.skew = skew if abs(skew) > MAX_SKEW else None
        if self.skew is not None:
            _log.warning("this machine's clock differs from the edge's by %d s", -skew.total_seconds())

    def _notify(self) -> None:
        self.board.notify()
        self._changed()
