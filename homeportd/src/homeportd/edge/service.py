"""What can be done with tunnels: open, take over, close, kill, reserve. Names and ports are given out here."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from typing import Any

from homeportd import clock
from homeportd.auth.model import Token
from homeportd.auth.service import Auth
from homeportd.edge import names, ownership
from homeportd.edge.connections.client import Client
from homeportd.edge.connections.link import Link
from homeportd.edge.connections.links import Links
from homeportd.edge.listeners.service import Listening
from homeportd.edge.model import NO_LIMITS, ClientOptions, Refused, Reservation, networks, rules, stricter
from homeportd.edge.passcodes import Passcodes
from homeportd.edge.registry import Registry
from homeportd.edge.store import ReservationStore
from homeportd.edge.traefik.routes import Routes
from homeportd.edge.traffic.connection_log import Visits
from homeportd.edge.tunnel import Tunnel
from homeportd.errors import Problem, invalid, not_found
from homeportd.settings import EdgeSettings
from homeportd.tunnels import protocol
from homeportd.tunnels.protocol import Kind, Limits, Refusal

KEEP_S = 120  # a name or port that is not reserved waits so long for its client to come back
PORT_TRIES = 64  # other programs may hold ports of the range

Change = Callable[[str, Tunnel], None]

_log = logging.getLogger(__name__)


class Tunnels:
    """All places of this edge, live or not."""

    def __init__(
        self,
        settings: EdgeSettings,
        store: ReservationStore,
        auth: Auth,
        passcodes: Passcodes,
        visits: Visits,
        routes: Routes,
    ) -> None:
        self.registry = Registry()
        self.links = Links(settings, auth, self._gone, self._relinked)
        self.listening = Listening(settings, routes)
        self._settings = settings
        self._store = store
        self._auth = auth
        self._passcodes = passcodes
        self._visits = visits
        self.changing = asyncio.Lock()  # what changes the places, or relies on one, holds it
        self._callbacks: list[Change] = []
        self.release_guards: list[Callable[[Tunnel], None]] = []  # may raise Problem
        auth.revoked.subscribe(self._end_orphans)
        self._closings: set[asyncio.Task[None]] = set()

    def on_change(self, callback: Change) -> None:
        """Call back with (`opened`, `changed` or `closed`, tunnel)."""
        self._callbacks.append(callback)

    async def start(self) -> None:
        """Listen for every place there was: names stay what they are while their clients come back."""
        for reservation in await self._store.all():
            tunnel = Tunnel(reservation, self._visits)
            try:
                await self.listening.listen(tunnel)
            except (Refused, OSError) as error:
                # It stays reserved; the next client that asks for it learns why.
                _log.warning("%s %s cannot listen: %s", reservation.kind, reservation.label, error)
            self.registry.add(tunnel)
        self.listening.start(self.registry)

    async def close(self) -> None:
        """End everything; what is reserved stays on disk."""
        await self.links.close()
        for tunnel in self.registry:
            tunnel.close()
        self.listening.close()
        await asyncio.gather(*self._closings, return_exceptions=True)

    # What clients do; the links call these

    def admit(self, hello: protocol.Hello) -> Token:
        return self.links.admit(hello)

    def join(self, link: Link, hello: protocol.Hello) -> tuple[Client, protocol.Welcome]:
        return self.links.join(link, hello)

    def leave(self, link: Link) -> None:
        self.links.leave(link)

    def rotated(self, link: Link) -> None:
        self.links.rotated(link)

    def greeted(self, link: Link) -> None:
        self.links.greeted(link)

    async def open(self, client: Client, message: protocol.Open) -> protocol.Opened:
        """Give the client what it asks for: its own place at once, even from another client of its lineage.

        Raises Refused.
        """
        allow = networks(message.allow)
        if message.passcode is not None and message.kind is not Kind.HTTP:
            raise Refused(
                Refusal.BAD, f"a passcode is for HTTP, not {message.kind.upper()}", "use --allow there"
            )
        label = names.label(message, self._settings)
        known = self.registry.called(message.kind, label) if label else None
        ours = known if known is not None and known.reservation.lineage == client.lineage else None
        passcode = await self._passcodes.hash_again(message.passcode, ours)
        options = ClientOptions(message.host, allow, message.limits, passcode)
        async with self.changing:
            tunnel = self.registry.called(message.kind, label) if label else None
            ownership.check_client(client, tunnel)
            if tunnel is not None:
                await self._claim(tunnel, client, message)
            else:
                reserved = label is not None and message.reserve
                tunnel = await self._found(message.kind, label, client.lineage, reserved=reserved)
                tunnel.created_by = client
            if tunnel.listener is None:
                await self.listening.listen(tunnel)
            await self._hold(tunnel, client, options)
        return protocol.Opened(
            request=message.request,
            tunnel=tunnel.id,
            address=self.listening.address(tunnel.reservation),
            name=tunnel.reservation.name,
            port=tunnel.reservation.port,
        )

    async def close_for(self, client: Client, tunnel_id: str, *, forget: bool) -> None:
        """The client ends a tunnel of its own; a reservation stays, unless it was made for this alone."""
        async with self.changing:
            tunnel = client.tunnels.get(tunnel_id)  # a newer client may have it since
            if tunnel is not None:
                if forget and tunnel.created_by is client:
                    tunnel.reservation = replace(tunnel.reservation, reserved=False)
                await self._end(tunnel, "closed")

    # What the owner does

    def get(self, tunnel_id: str) -> Tunnel:
        """Raises Problem 404."""
        tunnel = self.registry.get(tunnel_id)
        if tunnel is None:
            raise not_found(f"tunnel {tunnel_id}", "homeport tunnels list shows the ids")
        return tunnel

    async def kill(self, tunnel_id: str) -> None:
        """End a live tunnel; its client does not ask for it again. Raises Problem 404, 409."""
        async with self.changing:
            tunnel = self.get(tunnel_id)
            if tunnel.holder is None and tunnel.reservation.reserved:
                raise Problem(409, "no client holds this tunnel", "remove its reservation to give it up")
            await self._end(tunnel, "killed")

    async def reserve(
        self,
        kind: Kind,
        name: str | None,
        port: int | None,
        lineage: str | None,
        allow: tuple[str, ...],
        limits: Limits,
        passcode: str | None,
    ) -> Tunnel:
        """Keep a name or port; without either one is chosen. Raises Problem 409, 422."""
        try:
            kept: dict[str, Any] = {"reserved": True, "allow": networks(allow), "limits": limits}
            message = protocol.Open(request=0, kind=kind, name=name, port=port)
            label = names.label(message, self._settings)
            kept["passcode_hash"] = await self._passcodes.hash(kind, passcode)
            async with self.changing:
                tunnel = self.registry.called(kind, label) if label else None
                if tunnel is not None and tunnel.reservation.reserved:
                    fix = f"homeport reservations change {label} gives it other rules"
                    raise Problem(409, f"{kind.upper()} {label} is reserved already", fix)
                if tunnel is None:  # all in one write: a name without its passcode would be there otherwise
                    tunnel = await self._found(kind, label, lineage, **kept)
                await self._change(tunnel, replace(tunnel.reservation, **kept))
        except Refused as refusal:
            status = 409 if refusal.reason in (Refusal.NAME_TAKEN, Refusal.PORT_TAKEN, Refusal.LIMIT) else 422
            raise Problem(status, refusal.detail, refusal.fix) from None
        return tunnel

    async def edit(
        self,
        tunnel_id: str,
        allow: tuple[str, ...],
        limits: Limits,
        passcode: str | None,
        *,
        keep_passcode: bool,
    ) -> Tunnel:
        """Change the rules of a reservation, for visitors that are here too. Raises Problem 404, 409, 422."""
        tunnel = self._reserved(tunnel_id)
        kind = tunnel.reservation.kind
        if passcode is not None and kind is not Kind.HTTP:
            raise Problem(409, f"a passcode is for HTTP, and this is {kind.upper()}", "use allow here")
        try:
            parsed = networks(allow)
        except Refused as refusal:
            raise invalid(refusal.detail, refusal.fix) from None
        fresh = None if keep_passcode else await self._passcodes.hash(kind, passcode)
        async with self.changing:
            tunnel = self._reserved(tunnel_id)
            hashed = tunnel.reservation.passcode_hash if keep_passcode else fresh
            generation = tunnel.reservation.generation + (hashed != tunnel.reservation.passcode_hash)
            await self._change(
                tunnel,
                replace(
                    tunnel.reservation,
                    allow=parsed,
                    limits=limits,
                    passcode_hash=hashed,
                    generation=generation,
                ),
            )
        return tunnel

    async def release(self, tunnel_id: str) -> None:
        """Remove a reservation; a live tunnel goes on without. Raises Problem 404, 409."""
        async with self.changing:
            tunnel = self._reserved(tunnel_id)
            for guard in self.release_guards:
                guard(tunnel)
            if tunnel.holder is None:
                await self._remove(tunnel)
                return
            reservation = replace(
                tunnel.reservation, reserved=False, allow=(), limits=NO_LIMITS, passcode_hash=None
            )
            await self._change(tunnel, reservation)

    def refresh_route(self, tunnel_id: str) -> None:
        """Write a name's route anew, after its domains have changed. Raises Refused."""
        tunnel = self.registry.get(tunnel_id)
        if tunnel is not None:
            self.listening.write_route(tunnel)

    async def sweep(self) -> None:
        """Give up what is not reserved and was left for too long."""
        before = monotonic() - KEEP_S
        for tunnel in self.registry:
            if self._is_left(tunnel, before):
                async with self.changing:
                    if self._is_left(tunnel, before):
                        await self._remove(tunnel)

    def _is_left(self, tunnel: Tunnel, before: float) -> bool:
        here = self.registry.get(tunnel.id) is tunnel
        return here and tunnel.holder is None and not tunnel.reservation.reserved and tunnel.lost_at < before

    # Inside; what changes the registry runs under the lock

    async def _claim(self, tunnel: Tunnel, client: Client, message: protocol.Open) -> None:
        reservation = ownership.claimed(tunnel, client, message, self._auth.lineage_alive)
        tunnel.created_by = client if tunnel.created_by is client else None
        if reservation != tunnel.reservation:
            await self._store.save(reservation)
            tunnel.reservation = reservation

    async def _found(self, kind: Kind, label: str | None, lineage: str | None, **kept: Any) -> Tunnel:
        ownership.check_room(self.registry, lineage)
        tunnel, last = None, None
        for _ in range(1 if label else PORT_TRIES):
            reservation = self._place(kind, label, lineage, **kept)
            tunnel = Tunnel(reservation, self._visits)
            try:
                await self.listening.listen(tunnel)
                break
            except Refused as refusal:
                if label is not None:
                    raise
                last, tunnel = refusal, None
        if tunnel is None:
            raise last or Refused(Refusal.LIMIT, "no port is free", "try again")
        try:
            await self._store.save(tunnel.reservation)
        except BaseException:
            self.listening.unlisten(tunnel)
            raise
        self.registry.add(tunnel)
        return tunnel

    def _place(self, kind: Kind, label: str | None, lineage: str | None, **kept: Any) -> Reservation:
        name = port = None
        if kind is Kind.HTTP:
            name = label or names.choose_name(
                secrets.randbelow, lambda name: self.registry.called(kind, name) is not None
            )
        else:
            span = self._settings.span(kind)
            taken = self.registry.ports(kind)
            port = int(label) if label else names.choose_port(secrets.randbelow, span, taken, kind)
        return Reservation(secrets.token_hex(6), kind, name, port, lineage, created_at=clock.now(), **kept)

    async def _hold(self, tunnel: Tunnel, client: Client, options: ClientOptions) -> None:
        await self._guard(tunnel, tunnel.reservation, options)
        ownership.check_client(client, tunnel)
        before = tunnel.holder
        if before is not client:
            if before is not None:
                self._let_go(
                    tunnel, "taken-over", f"a newer client, on {client.name}, has {tunnel.reservation.label}"
                )
            if tunnel.listener is not None:
                tunnel.listener.cut()
            tunnel.since = clock.now()
        tunnel.holder = client
        client.tunnels[tunnel.id] = tunnel
        tunnel.set_rules(tunnel.reservation, options)
        self.listening.write_route(tunnel)
        self._announce("changed" if before is client else "opened", tunnel)

    def _let_go(self, tunnel: Tunnel, reason: str, detail: str = "") -> None:
        client, tunnel.holder = tunnel.holder, None
        tunnel.lost_at, tunnel.since = monotonic(), clock.now()
        if client is None:
            return
        client.tunnels.pop(tunnel.id, None)
        said = protocol.Closed.model_validate({"tunnel": tunnel.id, "reason": reason, "detail": detail})
        if client.freshest is not None:
            client.freshest.tell(said)

    async def _end(self, tunnel: Tunnel, reason: str) -> None:
        self._let_go(tunnel, reason)
        if tunnel.listener is not None:
            tunnel.listener.cut()
        if tunnel.reservation.reserved:
            tunnel.set_rules(tunnel.reservation, ClientOptions())
            self._announce("changed", tunnel)
        else:
            try:
                await self._remove(tunnel)
            except sqlite3.Error:
                self._announce("changed", tunnel)  # it is there still, and nobody's
                raise

    async def _remove(self, tunnel: Tunnel) -> None:
        await self._store.delete(tunnel.id)
        self.registry.remove(tunnel)
        self.listening.unlisten(tunnel)
        self._announce("closed", tunnel)

    async def _change(self, tunnel: Tunnel, reservation: Reservation) -> None:
        tunnel.created_by = None
        if reservation != tunnel.reservation:
            await self._store.save(reservation)
        await self._guard(tunnel, reservation, tunnel.options)
        tunnel.set_rules(reservation, tunnel.options)
        self.listening.write_route(tunnel)
        self._announce("changed", tunnel)

    async def _guard(self, tunnel: Tunnel, reservation: Reservation, options: ClientOptions) -> None:
        """Before stricter rules hold; nothing may be awaited between this and that. Raises Refused."""
        if reservation.kind is Kind.HTTP and stricter(tunnel.rules, rules(reservation, options)):
            await self.listening.move(tunnel)

    def _gone(self, client: Client) -> None:
        """The last link of a client was lost: its tunnels wait for it."""
        for tunnel in list(client.tunnels.values()):
            self._let_go(tunnel, "closed")
            self._announce("changed", tunnel)

    def _relinked(self, client: Client) -> None:
        for tunnel in client.tunnels.values():
            self._announce("changed", tunnel)

    def _end_orphans(self) -> None:
        """Close what belongs to tokens that are gone, unless it is reserved."""
        for tunnel in self.registry:
            if ownership.orphaned(tunnel.reservation, self._auth.lineage_alive):
                task = asyncio.get_running_loop().create_task(self._end_orphan(tunnel))
                self._closings.add(task)
                task.add_done_callback(self._closings.discard)

    async def _end_orphan(self, tunnel: Tunnel) -> None:
        async with self.changing:
            # Unless somebody whose token lives has taken it meanwhile.
            here = self.registry.get(tunnel.id) is tunnel
            if here and ownership.orphaned(tunnel.reservation, self._auth.lineage_alive):
                await self._end(tunnel, "revoked")

    def _reserved(self, tunnel_id: str) -> Tunnel:
        tunnel = self.registry.get(tunnel_id)
        if tunnel is None or not tunnel.reservation.reserved:
            raise not_found(f"reservation {tunnel_id}", "homeport reservations shows the ids")
        return tunnel

    def _announce(self, kind: str, tunnel: Tunnel) -> None:
        for callback in self._callbacks:
            callback(kind, tunnel)
