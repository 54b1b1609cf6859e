"""The tunnels of an edge: opened, taken over and closed by clients; killed, reserved and changed by the owner."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from time import monotonic
from typing import Any

from homeportd import clock
from homeportd.auth.service import Auth
from homeportd.edge import names, ownership
from homeportd.edge.connections.client import Client
from homeportd.edge.listeners.endpoints import Endpoints
from homeportd.edge.model import ClientOptions, Refused, Reservation, networks, rules, stricter
from homeportd.edge.passcodes import Passcodes
from homeportd.edge.registry import Registry
from homeportd.edge.settings import EdgeSettings
from homeportd.edge.store import ReservationStore
from homeportd.edge.traffic.connection_log import ConnectionLog
from homeportd.edge.tunnel import Tunnel
from homeportd.errors import Problem, invalid, not_found
from homeportd.signal import Signal
from homeportd.tasks import TaskSet
from homeportd.tunnels import protocol
from homeportd.tunnels.protocol import Kind, Limits, Refusal

KEEP_S = 120  # a name or port that is not reserved waits so long for its client to come back
PORT_TRIES = 64  # other programs may hold ports of the range

_log = logging.getLogger(__name__)


class Tunnels:
    """Every tunnel of this edge, live or not."""

    def __init__(
        self,
        settings: EdgeSettings,
        store: ReservationStore,
        auth: Auth,
        passcodes: Passcodes,
        endpoints: Endpoints,
        log: ConnectionLog,
    ) -> None:
        self.registry = Registry()
        self.changed: Signal[[str, Tunnel]] = Signal()  # `opened`, `changed` or `closed`, and the tunnel
        self._settings = settings
        self._store = store
        self._auth = auth
        self._passcodes = passcodes
        self._endpoints = endpoints
        self._log = log
        self._lock = asyncio.Lock()  # of the registry and of reservations
        self._release_guards: list[Callable[[Tunnel], None]] = []
        self._closings = TaskSet()
        auth.revoked.subscribe(self._close_orphans)

    def on_release(self, guard: Callable[[Tunnel], None]) -> None:
        """Call `guard` before a reservation is removed; it raises Problem where something depends on it."""
        self._release_guards.append(guard)

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Keep every reservation as it is until the block ends; changes under way are waited for."""
        async with self._lock:
            yield

    def keep(self, tunnel: Tunnel) -> None:
        """Let a reservation outlive the client that created it. Call it within `hold`."""
        tunnel.created_by = None

    async def start(self) -> None:
        """Listen for every reservation on disk: names stay what they are while their clients come back."""
        for reservation in await self._store.all():
            tunnel = Tunnel(reservation, self._log)
            try:
                await self._endpoints.listen(tunnel)
            except (Refused, OSError) as error:
                # It stays reserved; the next client that asks for it learns why.
                _log.warning("%s %s cannot listen: %s", reservation.kind, reservation.label, error)
            self.registry.add(tunnel)
        self._endpoints.write_routes(self.registry)

    async def close(self) -> None:
        """End every tunnel; reservations stay on disk."""
        for tunnel in self.registry:
            tunnel.close()
        self._endpoints.close()
        await self._closings.finish()

    # For clients

    async def open(self, client: Client, message: protocol.Open) -> protocol.Opened:
        """Open a tunnel for a client: with a name of its own at once, even if another client of its lineage has it.

        Raises Refused.
        """
        options = ClientOptions.of(message)
        if message.passcode is not None and message.kind is not Kind.HTTP:
            raise Refused(
                Refusal.BAD, f"a passcode is for HTTP, not {message.kind.upper()}", "use --allow there"
            )
        label = names.label(message, self._settings)
        known = self.registry.called(message.kind, label) if label else None
        ours = known if known is not None and known.reservation.lineage == client.lineage else None
        options = replace(options, passcode_hash=await self._passcodes.hash_again(message.passcode, ours))
        async with self.hold():
            tunnel = self.registry.called(message.kind, label) if label else None
            ownership.check_client(client, tunnel)
            if tunnel is not None:
                await self._claim(tunnel, client, message)
            else:
                reserved = label is not None and message.reserve
                tunnel = await self._create(message.kind, label, client.lineage, reserved=reserved)
                tunnel.created_by = client
            await self._endpoints.listen(tunnel)
            await self._assign(tunnel, client, options)
        return tunnel.opened(message.request, names.address(tunnel.reservation, self._settings))

    async def close_for(self, client: Client, tunnel_id: str, *, forget: bool) -> None:
        """End a tunnel of a client's own. `forget`: a reservation that this client's `open` created is removed, too."""
        async with self.hold():
            tunnel = self.registry.get(tunnel_id)
            if tunnel is not None and tunnel.holder is client:  # a newer client may have it since
                if forget and tunnel.created_by is client:
                    tunnel.reservation = replace(tunnel.reservation, reserved=False)
                await self._end(tunnel, "closed")

    def links_changed(self, client: Client) -> None:
        """A client has a link more or less than before."""
        for tunnel in self._of(client):
            self.changed.emit("changed", tunnel)

    def client_lost(self, client: Client) -> None:
        """A client has lost its last link: its tunnels wait for it."""
        for tunnel in self._of(client):
            self._unassign(tunnel, "closed")
            self.changed.emit("changed", tunnel)

    # For the owner

    def get(self, tunnel_id: str) -> Tunnel:
        """The tunnel with this id. Raises Problem 404."""
        tunnel = self.registry.get(tunnel_id)
        if tunnel is None:
            raise not_found(f"tunnel {tunnel_id}", "homeport tunnels list shows the ids")
        return tunnel

    async def kill(self, tunnel_id: str) -> None:
        """End a live tunnel; its client does not ask for it again. Raises Problem 404, 409."""
        async with self.hold():
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
        *,
        subdomains: bool = False,
    ) -> Tunnel:
        """Reserve a name or port; with neither, the edge chooses one. Raises Problem 409, 422."""
        try:
            kept: dict[str, Any] = {
                "reserved": True,
                "allow": networks(allow),
                "limits": limits,
                "subdomains": subdomains,
            }
            message = protocol.Open(request=0, kind=kind, name=name, port=port, subdomains=subdomains)
            label = names.label(message, self._settings)
            kept["passcode_hash"] = await self._passcodes.hash(kind, passcode)
            async with self.hold():
                tunnel = self.registry.called(kind, label) if label else None
                if tunnel is not None and tunnel.reservation.reserved:
                    fix = f"homeport reservations change {label} gives it other rules"
                    raise Problem(409, f"{kind.upper()} {label} is reserved already", fix)
                if tunnel is None:  # in one write, so that there is never a name without its passcode
                    tunnel = await self._create(kind, label, lineage, **kept)
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
        subdomains: bool | None = None,
    ) -> Tunnel:
        """Change the rules of a reservation, for connected visitors too. Raises Problem 404, 409, 422.

        `subdomains` None keeps that.
        """
        tunnel = self._reserved(tunnel_id)
        kind = tunnel.reservation.kind
        if passcode is not None and kind is not Kind.HTTP:
            raise Problem(409, f"a passcode is for HTTP, and this is {kind.upper()}", "use allow here")
        if subdomains and kind is not Kind.HTTP:
            raise Problem(409, f"subdomains are of HTTP names, and this is {kind.upper()}", "leave them out")
        try:
            parsed = networks(allow)
            if subdomains:
                names.check_subdomains(kind, tunnel.reservation.name, self._settings)
        except Refused as refusal:
            raise invalid(refusal.detail, refusal.fix) from None
        fresh = None if keep_passcode else await self._passcodes.hash(kind, passcode)
        async with self.hold():
            tunnel = self._reserved(tunnel_id)
            hashed = tunnel.reservation.passcode_hash if keep_passcode else fresh
            generation = tunnel.reservation.generation + (hashed != tunnel.reservation.passcode_hash)
            changed = replace(
                tunnel.reservation,
                allow=parsed,
                limits=limits,
                passcode_hash=hashed,
                generation=generation,
                subdomains=tunnel.reservation.subdomains if subdomains is None else subdomains,
            )
            await self._change(tunnel, changed)
        return tunnel

    async def release(self, tunnel_id: str) -> None:
        """Remove a reservation; a live tunnel goes on without it. Raises Problem 404, 409, and what guards raise."""
        async with self.hold():
            tunnel = self._reserved(tunnel_id)
            for guard in self._release_guards:
                guard(tunnel)
            if tunnel.holder is None:
                await self._remove(tunnel)
                return
            await self._change(tunnel, tunnel.reservation.released())

    def refresh_route(self, tunnel_id: str) -> Reservation | None:
        """Write the route of an HTTP name anew, after its rules or domains have changed. Raises Refused."""
        tunnel = self.registry.get(tunnel_id)
        if tunnel is not None:
            self._endpoints.write_route(tunnel)
        return None if tunnel is None else tunnel.reservation

    async def sweep(self) -> None:
        """Remove tunnels that are not reserved and have had no client for KEEP_S."""
        before = monotonic() - KEEP_S
        for tunnel in self.registry:
            if self._is_abandoned(tunnel, before):
                async with self.hold():
                    if self._is_abandoned(tunnel, before):
                        await self._remove(tunnel)

    def _is_abandoned(self, tunnel: Tunnel, before: float) -> bool:
        known = self.registry.get(tunnel.id) is tunnel
        return known and tunnel.holder is None and not tunnel.reservation.reserved and tunnel.lost_at < before

    # Inside; what changes the registry runs under the lock

    def _of(self, client: Client) -> list[Tunnel]:
        return [tunnel for id_ in list(client.tunnels) if (tunnel := self.registry.get(id_))]

    async def _claim(self, tunnel: Tunnel, client: Client, message: protocol.Open) -> None:
        reservation = ownership.claimed(tunnel, client, message, self._auth.lineage_alive)
        tunnel.created_by = client if tunnel.created_by is client else None
        if reservation != tunnel.reservation:
            await self._store.save(reservation)
            tunnel.reservation = reservation

    async def _create(self, kind: Kind, label: str | None, lineage: str | None, **kept: Any) -> Tunnel:
        ownership.check_new(self.registry, label, lineage)
        tunnel, last = None, None
        for _ in range(1 if label else PORT_TRIES):
            name, port = self.registry.choose(kind, label, self._settings)
            reservation = Reservation(
                secrets.token_hex(6), kind, name, port, lineage, created_at=clock.now(), **kept
            )
            tunnel = Tunnel(reservation, self._log)
            try:
                await self._endpoints.listen(tunnel)
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
            self._endpoints.close_tunnel(tunnel)
            raise
        self.registry.add(tunnel)
        return tunnel

    async def _assign(self, tunnel: Tunnel, client: Client, options: ClientOptions) -> None:
        await self._move_if_stricter(tunnel, tunnel.reservation, options)
        ownership.check_client(client, tunnel)
        before = tunnel.holder
        if before is not client:
            if before is not None:
                self._unassign(
                    tunnel, "taken-over", f"a newer client, on {client.name}, has {tunnel.reservation.label}"
                )
            if tunnel.listener is not None:
                tunnel.listener.cut()
            tunnel.since = clock.now()
        tunnel.holder = client
        client.tunnels.add(tunnel.id)
        tunnel.set_rules(tunnel.reservation, options)
        self._endpoints.write_route(tunnel)
        self.changed.emit("changed" if before is client else "opened", tunnel)

    def _unassign(self, tunnel: Tunnel, reason: str, detail: str = "") -> None:
        client, tunnel.holder = tunnel.holder, None
        tunnel.lost_at, tunnel.since = monotonic(), clock.now()
        if client is None:
            return
        client.tunnels.discard(tunnel.id)
        message = protocol.Closed.model_validate({"tunnel": tunnel.id, "reason": reason, "detail": detail})
        if client.freshest is not None:
            client.freshest.tell(message)

    async def _end(self, tunnel: Tunnel, reason: str) -> None:
        self._unassign(tunnel, reason)
        if tunnel.listener is not None:
            tunnel.listener.cut()
        if tunnel.reservation.reserved:
            tunnel.set_rules(tunnel.reservation, ClientOptions())
            self.changed.emit("changed", tunnel)
        else:
            try:
                await self._remove(tunnel)
            except sqlite3.Error:
                self.changed.emit("changed", tunnel)  # it is still there, without a client
                raise

    async def _remove(self, tunnel: Tunnel) -> None:
        await self._store.delete(tunnel.id)
        self.registry.remove(tunnel)
        self._endpoints.close_tunnel(tunnel)
        self.changed.emit("closed", tunnel)

    async def _change(self, tunnel: Tunnel, reservation: Reservation) -> None:
        before, tunnel.created_by, below = tunnel.reservation, None, tunnel.rules.subdomains
        ends = before.narrowed_by(reservation)
        if reservation != before and not ends:
            await self._store.save(reservation)
        await self._move_if_stricter(tunnel, reservation, tunnel.options)
        tunnel.set_rules(reservation, tunnel.options)
        client = tunnel.holder.freshest if tunnel.holder is not None else None
        if tunnel.rules.subdomains != below and client is not None:
            client.tell(tunnel.opened(protocol.UNASKED, names.address(reservation, self._settings)))
        try:
            if ends:
                await self._store.save_held(tunnel.id, self.refresh_route)
            else:
                self._endpoints.write_route(tunnel)
        finally:
            self.changed.emit("changed", tunnel)

    async def _move_if_stricter(
        self, tunnel: Tunnel, reservation: Reservation, options: ClientOptions
    ) -> None:
        """Move an HTTP name's port before stricter rules apply; await nothing between the two. Raises Refused."""
        if reservation.kind is Kind.HTTP and stricter(tunnel.rules, rules(reservation, options)):
            await self._endpoints.move(tunnel)

    def _close_orphans(self) -> None:
        """End tunnels whose token is gone, unless they are reserved."""
        for tunnel in self.registry:
            if ownership.orphaned(tunnel.reservation, self._auth.lineage_alive):
                self._closings.spawn(self._close_orphan(tunnel), "a tunnel of a revoked token")

    async def _close_orphan(self, tunnel: Tunnel) -> None:
        async with self.hold():
            # Unless a client with a valid token has taken it meanwhile.
            known = self.registry.get(tunnel.id) is tunnel
            if known and ownership.orphaned(tunnel.reservation, self._auth.lineage_alive):
                await self._end(tunnel, "revoked")

    def _reserved(self, tunnel_id: str) -> Tunnel:
        tunnel = self.registry.get(tunnel_id)
        if tunnel is None or not tunnel.reservation.reserved:
            raise not_found(f"reservation {tunnel_id}", "homeport reservations shows the ids")
        return tunnel
