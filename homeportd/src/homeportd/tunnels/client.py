"""A client of an edge: it dials links one by one, keeps them up, and serves its tunnels over them."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections.abc import Callable, Iterable
from datetime import timedelta
from time import monotonic
from typing import Final

from homeportd import clock
from homeportd.tasks import TaskSet
from homeportd.tunnels import connection, protocol
from homeportd.tunnels.account import Account
from homeportd.tunnels.backoff import STABLE_S, Backoff
from homeportd.tunnels.errors import Reason, TunnelError
from homeportd.tunnels.limits import keep_memory
from homeportd.tunnels.link import ClientIdentity, FromEdge, Link, error_of
from homeportd.tunnels.model import State, TunnelSpec
from homeportd.tunnels.negotiation import Negotiation
from homeportd.tunnels.protocol import HEARTBEAT_S, MAX_LINKS, Kind
from homeportd.tunnels.status import ClientStatus
from homeportd.tunnels.tunnel import Tunnel

SAMPLE_S: Final = 1.0
ROUTED_S: Final = 0.5  # for the edge's Traefik to read the route of a new name, which the edge cannot observe
SILENT_S: Final = HEARTBEAT_S + 1.0  # without a byte: a link that is alive answers each heartbeat
MAX_SKEW: Final = timedelta(seconds=90)  # between the clocks, before a person is warned

_log = logging.getLogger(__name__)


class Client:
    """The client of one process. `run` keeps it up until it is cancelled; the other methods may be called meanwhile.

    `account` is called before each dial, so that a new token or address is used at once. `rotated(old, new)`
    stores a new token; it returns False or raises OSError when it cannot. `changed` is called after each change
    that a person would want to see. `links`: connections to hold, in place of the account's number; `name`: in
    place of the host name.
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
        self.negotiation = Negotiation(self._send)
        self.links: dict[int, Link] = {}
        self.welcome: protocol.Welcome | None = None
        self.skew: timedelta | None = None  # the edge's clock less ours, where they differ much
        self.error: TunnelError | None = None  # why there is no link, or none more
        self.token_ends: str | None = None  # of a token whose successor this client was not given
        self.attempts = 0
        self.next_try_at: float | None = None  # by `monotonic`
        self.backoff = Backoff()
        self._account = account
        self._rotated = rotated
        self._changed = changed
        self._wanted_links = links
        self._max_links = MAX_LINKS  # fewer where the edge allows fewer
        self._identity = ClientIdentity(
            secrets.token_hex(16), (name or socket.gethostname() or "client")[:64]
        )
        self._last_sent_on: Link | None = None
        self._rotating = asyncio.Lock()
        self._ending = False
        self._wake = asyncio.Event()
        self._serving = TaskSet()  # one task a link
        self._joining = TaskSet()  # one task a visitor, until its connection is joined

    # Called by the owner

    @property
    def tunnels(self) -> dict[str, Tunnel]:
        """The tunnels by their keys."""
        return self.negotiation.tunnels

    @property
    def is_up(self) -> bool:
        """Whether there is a link."""
        return bool(self.links)

    @property
    def round_trip(self) -> float | None:
        """Seconds to the edge and back over the quickest link; None until measured."""
        times = [link.session.round_trip for link in self.links.values()]
        return min((time for time in times if time is not None), default=None)

    def add(self, spec: TunnelSpec, name: str | None = None, port: int | None = None) -> Tunnel:
        """Request a tunnel, now and whenever a link comes back. `name`, `port`: what the edge chose for it before.

        Raises TunnelError when there are too many.
        """
        tunnel = self.negotiation.add(spec, name, port)
        tunnel.changed = self._notify
        self._notify()
        return tunnel

    def remove(self, tunnel: Tunnel, *, forget: bool = False) -> None:
        """End a tunnel and its connections. Its reservation stays; with `forget`, one that its `open` created ends."""
        self.negotiation.remove(tunnel, forget=forget)
        self._notify()

    def retry_now(self) -> None:
        """End the wait for the next attempt, since its cause may be gone."""
        self.backoff.reset()
        self._wake.set()

    async def answered(self, tunnel: Tunnel, seconds: float) -> bool:
        """Wait until the edge has opened or refused a tunnel; False when it has not after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                while tunnel.state in (State.OFFLINE, State.OPENING):
                    await self.negotiation.wait_for_change()
        except TimeoutError:
            return False
        return True

    async def routed(self, tunnels: Iterable[Tunnel]) -> None:
        """Wait until the edge routes names that were just opened, so that an address works when a person gets it."""
        if any(tunnel.spec.kind is Kind.HTTP for tunnel in tunnels):
            await asyncio.sleep(ROUTED_S)

    async def run(self) -> None:
        """Keep links up and tunnels open until cancelled; then close them all."""
        keep_memory()
        async with TaskSet() as tasks:
            tasks.repeat(SAMPLE_S, self.negotiation.tick, "figures of tunnels")
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
                await self._end()

    def status(self) -> ClientStatus:
        """The client for people and programs."""
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
            "problem": None if self.error is None else self.error.as_dict(),
            "next_try_s": None if wait is None else round(wait, 1),
            "tunnels": [tunnel.status() for tunnel in self.tunnels.values()],
        }

    # Links

    def _free_number(self) -> int | None:
        """The number of the link to dial next; None when there are enough. Before a tunnel is live one is enough."""
        wanted = 1
        if self.links and self.negotiation.any_live:
            wanted = min(self._wanted_links or self._links_of_account(), self._max_links)
        if len(self.links) >= wanted:
            return None
        return next(number for number in range(MAX_LINKS) if number not in self.links)

    def _links_of_account(self) -> int:
        try:
            return self._account().links
        except TunnelError:
            return 1

    async def _pause(self) -> None:
        wait = self.backoff.delay()
        if not wait:
            return
        self.next_try_at = monotonic() + wait
        self._notify()
        try:
            async with asyncio.timeout(wait):
                while self.backoff.failures:  # until `retry_now`
                    self._wake.clear()
                    await self._wake.wait()
        except TimeoutError:
            pass
        finally:
            self.next_try_at = None

    async def _dial(self, number: int) -> None:
        try:
            link = await Link.of(self._account(), number, self._identity)
        except TunnelError as error:
            if error.reason is Reason.LIMIT and self.links:
                self._max_links = len(self.links)  # the edge allows no more
                return
            if error.lasting:
                self.backoff.lasting()
            else:
                self.backoff.failed()
            if self.error is None or self.error.detail != error.detail:
                _log.warning("no link to the edge: %s", error.detail)
            self.error = error
            return
        finally:
            self.attempts += 1
            self._notify()
        self._add_link(link)

    def _add_link(self, link: Link) -> None:
        first = not self.links
        self.links[link.number] = link
        self.welcome = link.welcome
        self.token_ends = link.welcome.token_ends
        self.error = None
        self._check_clock(link.welcome)
        self._serving.spawn(self._serve(link), f"link {link.number}")
        if first:
            self._max_links = MAX_LINKS
            _log.info("linked with the edge %s", link.welcome.edge)
            self.negotiation.on_connected()
        self._notify()

    async def _serve(self, link: Link) -> None:
        stable = asyncio.get_running_loop().call_later(STABLE_S, self.backoff.reset)
        async with TaskSet() as tasks:
            tasks.spawn(self._accept(link), f"visitors of link {link.number}")
            try:
                async for message in link.messages():
                    await self._handle(link, message)
            except Exception:
                _log.exception("a message of the edge could not be served")
            finally:
                stable.cancel()
                link.session.abort()
                self._remove_link(link)

    async def _accept(self, link: Link) -> None:
        async for stream in link.session:
            self._joining.spawn(connection.serve(stream, self.negotiation.find), "visitor")

    def _remove_link(self, link: Link) -> None:
        if self.links.get(link.number) is link:
            del self.links[link.number]
        if self._last_sent_on is link:
            self._last_sent_on = None
        self.backoff.lost(link.age_s)
        error = link.refusal or TunnelError(
            Reason.UNREACHABLE,
            f"the link to the edge was lost: {link.session.error}",
            "it is dialled again by itself",
        )
        if error.lasting:
            self.backoff.lasting()
        if self.links:
            if not self._ending:
                _log.info("link %d lost, %d left: %s", link.number, len(self.links), error.detail)
            self.negotiation.on_link_lost()
        else:
            self.error = error
            if not self._ending:
                _log.warning("the edge is gone: %s", error.detail)
            self.negotiation.on_disconnected(error)
        self._wake.set()
        self._notify()

    async def _end(self) -> None:
        self._ending = True
        for tunnel in self.tunnels.values():
            if tunnel.id is not None and tunnel.state is State.LIVE:
                self._send(protocol.Close(tunnel=tunnel.id))
        await asyncio.gather(*(link.close() for link in self.links.values()), return_exceptions=True)
        await self._serving.close()
        await self._joining.close()

    # ControlServer

    def _send(self, message: protocol.Open | protocol.Close) -> bool:
        """Send a message on one link, the same as before while that is alive: an `open` must not overtake a `close`."""
        silent_since = monotonic() - SILENT_S  # a link without a byte since then may be dead

        def preference(link: Link) -> tuple[bool, float]:
            heard_at = link.session.heard_at or 0.0
            return link is self._last_sent_on and heard_at >= silent_since, heard_at

        for link in sorted(self.links.values(), key=preference, reverse=True):
            if link.send(message):
                self._last_sent_on = link
                return True
        return False

    async def _handle(self, link: Link, message: FromEdge) -> None:
        match message:
            case protocol.Opened():
                self.negotiation.on_opened(message)
                self._wake.set()  # a live tunnel gets more links
            case protocol.Refused(request=None):
                link.refusal = error_of(message, local=link.local)
                link.session.abort("the edge refused the link")
            case protocol.Refused():
                self.negotiation.on_refused(message)
            case protocol.Closed():
                self.negotiation.on_closed(message)
            case protocol.Rotate():
                await self._rotate(link, message)
            case protocol.Welcome():
                self.welcome = message
        self._notify()

    async def _rotate(self, link: Link, message: protocol.Rotate) -> None:
        """Store the new token, then send `rotated`; several links may bring the same token."""
        async with self._rotating:
            old, new = link.token, message.token  # the account's may be another's since
            if old != new:
                try:
                    stored = await asyncio.to_thread(self._rotated, old, new)
                except OSError as error:
                    stored = False
                    _log.error("the new token cannot be stored: %s", error.strerror or error)
                if not stored:
                    return  # without a `rotated` the edge keeps the old one until its grace time ends
                self.token_ends = None
                for other in (link, *self.links.values()):
                    if other.token == old:
                        other.token = new
                _log.info("the token was replaced; the old one ends in %d s", message.grace_s)
        link.send(protocol.Rotated())

    # Inside

    def _check_clock(self, welcome: protocol.Welcome) -> None:
        try:
            skew = clock.from_text(welcome.time) - clock.now()
        except ValueError:
            return
        self.skew = skew if abs(skew) > MAX_SKEW else None
        if self.skew is not None:
            _log.warning("this machine's clock differs from the edge's by %d s", -skew.total_seconds())

    def _notify(self) -> None:
        self.negotiation.notify()
        self._changed()
