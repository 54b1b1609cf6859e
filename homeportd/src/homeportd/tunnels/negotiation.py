"""Negotiation of tunnels with an edge: what a client requests, and how the edge answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import monotonic
from typing import Final

from homeportd.tunnels import protocol
from homeportd.tunnels.errors import Reason, TunnelError
from homeportd.tunnels.link import error_of
from homeportd.tunnels.model import State, TunnelSpec
from homeportd.tunnels.protocol import MAX_TUNNELS, Refusal
from homeportd.tunnels.tunnel import Tunnel

ANSWER_S: Final = 20.0  # for the edge to answer an `open`
UNKNOWN_S: Final = 2.0  # a visitor may overtake, on another link, the message that its tunnel is open

_log = logging.getLogger(__name__)
_FINAL: Final = {"taken-over": State.TAKEN_OVER, "killed": State.KILLED, "revoked": State.REVOKED}
# After these the name or port that the edge chose once is not requested again.
_UNAVAILABLE: Final = frozenset(
    (Refusal.NAME_TAKEN, Refusal.NAME_BAD, Refusal.PORT_TAKEN, Refusal.PORT_RANGE, Refusal.DOMAIN)
)


class Negotiation:
    """The tunnels of one client. `send` sends a message to the edge on any link; False when there is none."""

    def __init__(self, send: Callable[[protocol.Open | protocol.Close], bool]) -> None:
        self.tunnels: dict[str, Tunnel] = {}
        self._send = send
        self._by_id: dict[str, Tunnel] = {}  # by the edge's ids
        self._pending: dict[int, Tunnel] = {}  # by the numbers of requests without an answer
        self._closes: dict[str, protocol.Close] = {}  # by the edge's ids: the edge may not have received them
        self._requests = 0
        self._keys = 0
        self._waiters: list[asyncio.Future[None]] = []

    # Called by the owner of the client

    def add(self, spec: TunnelSpec, name: str | None = None, port: int | None = None) -> Tunnel:
        """Request a tunnel. `name`, `port`: what the edge chose for it before. Raises TunnelError for too many."""
        if len(self.tunnels) >= MAX_TUNNELS:
            raise TunnelError(
                Reason.LIMIT,
                f"there are {MAX_TUNNELS} tunnels already",
                "homeport tunnels remove one of them",
            )
        self._keys += 1
        key = f"t{self._keys}"
        tunnel = self.tunnels[key] = Tunnel(key, spec)
        tunnel.name, tunnel.port = spec.name or name, spec.port or port
        tunnel.reopen = lambda: self.request(tunnel)
        self.request(tunnel)
        return tunnel

    def remove(self, tunnel: Tunnel, *, forget: bool = False) -> None:
        """End a tunnel and its connections. `forget`: a reservation that its `open` created ends too."""
        self.tunnels.pop(tunnel.key, None)
        if tunnel.request is not None:
            self._pending.pop(tunnel.request, None)
        if tunnel.id is not None and self._by_id.get(tunnel.id) is tunnel:
            del self._by_id[tunnel.id]
            close = self._closes[tunnel.id] = protocol.Close(tunnel=tunnel.id, forget=forget)
            if len(self._closes) > MAX_TUNNELS:
                del self._closes[next(iter(self._closes))]
            if tunnel.state is State.LIVE:
                self._send(close)
        tunnel.abort_connections()

    @property
    def any_live(self) -> bool:
        """Whether a tunnel is live, so that visitors can come."""
        return any(tunnel.state is State.LIVE for tunnel in self.tunnels.values())

    async def find(self, edge_id: str) -> Tunnel | None:
        """The tunnel with an id of the edge, once it is open; None where this client has none."""
        found = self._by_id.get(edge_id)
        if found is not None or not self._pending:
            return found
        try:
            async with asyncio.timeout(UNKNOWN_S):
                while edge_id not in self._by_id and self._pending:
                    await self.wait_for_change()
        except TimeoutError:
            pass
        return self._by_id.get(edge_id)

    async def wait_for_change(self) -> None:
        """Wait until the state of a tunnel or link changes."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def notify(self) -> None:
        """Wake every `wait_for_change`."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    # Called by the client

    def on_connected(self) -> None:
        """Handle the first link: send the closes of tunnels that ended meanwhile, then request all that remain.

        An edge that has not noticed yet that the last link was lost still holds those tunnels for this client.
        """
        for close in self._closes.values():
            self._send(close)
        self._closes.clear()
        for tunnel in self.tunnels.values():
            self.request(tunnel)

    def on_link_lost(self) -> None:
        """Handle the loss of one link among others: its pending requests, if any, have no answer."""
        for tunnel in list(self._pending.values()):
            self.request(tunnel)

    def on_disconnected(self, error: TunnelError) -> None:
        """Handle the loss of the last link."""
        self._pending.clear()
        for tunnel in self.tunnels.values():
            if not tunnel.is_final:
                tunnel.enter(State.OFFLINE, error)

    def tick(self) -> None:
        """Measure the tunnels, and request again those whose time has come; called once a second."""
        now = monotonic()
        for tunnel in list(self.tunnels.values()):
            tunnel.sample()
            if tunnel.retry_at is not None and tunnel.retry_at <= now:
                self.request(tunnel)

    def request(self, tunnel: Tunnel) -> None:
        """Send an `open` for a tunnel, if there is a link."""
        if tunnel.is_final:
            return
        if tunnel.request is not None:
            self._pending.pop(tunnel.request, None)
        self._requests += 1
        number = self._requests
        again, http2 = tunnel.id is not None, tunnel.speaks == "h2c"
        message = tunnel.spec.open_message(number, tunnel.name, tunnel.port, again=again, http2=http2)
        if not self._send(message):
            return
        tunnel.enter(State.OPENING)
        tunnel.request = number
        tunnel.retry_at = monotonic() + ANSWER_S
        self._pending[number] = tunnel

    def on_opened(self, message: protocol.Opened) -> None:
        """Handle a tunnel that the edge has opened."""
        tunnel = self._pending.pop(message.request, None)
        if tunnel is None:
            known = self._by_id.get(message.tunnel)
            if known is None:  # removed meanwhile
                self._send(protocol.Close(tunnel=message.tunnel))
            elif message.request == protocol.UNASKED:
                known.subdomains = message.subdomains
            return
        if tunnel.id is not None and self._by_id.get(tunnel.id) is tunnel:
            del self._by_id[tunnel.id]
        self._by_id[message.tunnel] = tunnel
        self._closes.pop(message.tunnel, None)
        if message.address != tunnel.address:
            _log.info("%s is %s", tunnel.spec.target, message.address)
        tunnel.id, tunnel.address = message.tunnel, message.address
        tunnel.subdomains = message.subdomains
        tunnel.name, tunnel.port = message.name or tunnel.name, message.port or tunnel.port
        tunnel.enter(State.LIVE)
        if tunnel.speaks == "h2c" and not message.http2:
            tunnel.set_server_problem(_no_http2(tunnel))
        if tunnel.spec.subdomains and not message.subdomains:
            tunnel.set_server_problem(_no_subdomains())

    def on_refused(self, message: protocol.Refused) -> None:
        """Handle a tunnel that the edge has refused."""
        tunnel = self._pending.pop(-1 if message.request is None else message.request, None)
        if tunnel is None:
            return
        error = error_of(message)
        _log.warning("%s was refused: %s", tunnel.spec.target, error.detail)
        if message.reason is Refusal.TAKEN_OVER:
            tunnel.enter(State.TAKEN_OVER, _final_error(State.TAKEN_OVER, tunnel.spec.target, message.detail))
            tunnel.abort_connections()
            return
        tunnel.enter(State.REFUSED, error)
        if message.reason in _UNAVAILABLE:
            tunnel.name, tunnel.port = tunnel.spec.name, tunnel.spec.port
        tunnel.schedule_retry()

    def on_closed(self, message: protocol.Closed) -> None:
        """Handle a tunnel that the edge has ended."""
        tunnel = self._by_id.get(message.tunnel)
        if tunnel is None or tunnel.is_final or tunnel.state is State.OPENING:
            return  # it ends the tunnel of before this request
        state = _FINAL.get(message.reason)
        label = tunnel.address or tunnel.spec.target
        if state is None:
            error = TunnelError(
                Reason.ENDED, message.detail or f"the edge closed {label}", "it is asked for again"
            )
            tunnel.enter(State.REFUSED, error)
            tunnel.schedule_retry()
        else:
            error = _final_error(state, label, message.detail)
            tunnel.enter(state, error)
            tunnel.abort_connections()
        _log.warning("%s: %s", label, error.detail)


def _no_http2(tunnel: Tunnel) -> TunnelError:
    return TunnelError(
        Reason.VERSION,
        f"{tunnel.target.netloc} speaks HTTP/2 without TLS, which the edge cannot carry: its release is older",
        f"upgrade the edge, or use homeport tcp {tunnel.target.netloc}",
    )


def _no_subdomains() -> TunnelError:
    return TunnelError(
        Reason.VERSION, "the edge leads no subdomains here: its release is older", "upgrade the edge"
    )


def _final_error(state: State, label: str, detail: str) -> TunnelError:
    if state is State.TAKEN_OVER:
        return TunnelError(
            Reason.TAKEN,
            detail or f"a newer client has taken {label} over",
            "end that one, or start this one again to take it back",
            lasting=True,
        )
    if state is State.KILLED:
        return TunnelError(
            Reason.ENDED, detail or f"the owner of the edge ended {label}", "start it again", lasting=True
        )
    return TunnelError(
        Reason.TOKEN,
        detail or f"the token behind {label} was revoked",
        "homeport init, which takes a new token; on the edge itself it makes one",
        lasting=True,
    )
