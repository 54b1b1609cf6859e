"""The ports of this machine, scanned every second."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from homeportd.clock import now
from homeportd.ports.fallback import Psutil, PsutilOwners
from homeportd.ports.merge import Known, changes, merge
from homeportd.ports.model import Change, Owner, Port, Program
from homeportd.ports.netlink import Listener, Netlink
from homeportd.ports.owners import Owners
from homeportd.ports.settings import Outside, PortsSettings
from homeportd.ports.socket_lookup import SocketLookup
from homeportd.repos.service import Repos
from homeportd.signal import Signal

PERIOD = 1.0  # seconds from scan to scan
PATIENCE = 0.3  # seconds that a new port waits for its owner before it is shown without

log = logging.getLogger(__name__)


class Source(Protocol):
    """A source of listening sockets."""

    def listeners(self) -> tuple[Listener, ...]:
        """All listening sockets; the same object while nothing changes. Raises OSError."""

    def close(self) -> None:
        """Close all descriptors."""


class Holders(Protocol):
    """Owners of listening sockets. `look_up` blocks and is for a thread; the other methods are quick."""

    def owner(self, listener: Listener) -> Owner | None:
        """The owner of a listener, as far as it is known now."""

    def user(self, listener: Listener) -> str | None:
        """The name of a listener's user, which is known of more listeners than their process is."""

    def uid(self, listener: Listener) -> int | None:
        """The user who made a listener's socket, None where that is not known."""

    def settled(self, listener: Listener) -> bool:
        """Whether the owner of a listener has been looked up, found or not."""

    def due(self, listeners: tuple[Listener, ...], now: float) -> Any:
        """The work for `look_up` at `now`; false when there is none."""

    def look_up(self, due: Any) -> Any:
        """Do the work, blocking; the result is for `learn`."""

    def learn(self, found: Any, now: float) -> bool:
        """Remember a result of `look_up`; whether anything changed."""

    def close(self) -> None:
        """Close all descriptors."""


def choose(reader: Path | None = None) -> tuple[Source, Holders, bool]:
    """Netlink where the kernel answers it, psutil elsewhere; and whether the source blocks for long."""
    netlink = Netlink()
    try:
        netlink.listeners()
    except OSError as error:
        netlink.close()
        log.warning("sock_diag is not to be had (%s): ports are read by psutil, which costs more", error)
        return Psutil(), PsutilOwners(), True
    return netlink, Owners(reader), False


def _lookup() -> SocketLookup | None:
    """Questions about one socket each, where the kernel answers them."""
    lookup = SocketLookup()
    try:
        lookup.inode(("127.0.0.1", 1))
    except OSError as error:
        lookup.close()
        log.warning("the kernel does not say which socket a connection reaches: %s", error)
        return None
    return lookup


class Ports:
    """Listeners within the port ranges of the settings, with owners and repos."""

    def __init__(
        self,
        settings: PortsSettings,
        repos: Repos,
        server_of: Callable[[Owner], str | None] = lambda _owner: None,
    ) -> None:
        """`server_of` gives the server of ours that a process belongs to; `refresh` says that it has other answers."""
        self._server_of = server_of
        self._settings = settings
        self._repos = repos
        self._ports: Mapping[int, Port] = MappingProxyType({})
        self.changed: Signal[[Change]] = Signal()  # `snapshot()` shows the change already
        self._seen: tuple[Listener, ...] | None = None  # as the source gave them
        self._covered: tuple[Listener, ...] = ()  # those of them within our ranges
        self._stale = True  # whether something other than the sockets changed
        self._visited: frozenset[Path] = frozenset()
        self._looking: asyncio.Task[None] | None = None
        self._pending: frozenset[Listener] = frozenset()  # whose first look-up is under way
        self._scanning = asyncio.Lock()
        self._again: asyncio.Task[None] | None = None
        self._lookup: SocketLookup | None = None  # None: the system does not answer such questions
        self._failing = False
        self._stop = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._source: Source
        self._holders: Holders
        repos.changed.subscribe(self.refresh)

    async def start(self) -> None:
        """Scan once, so that the first question has an answer, and then every second."""
        reader = self._settings.owner_reader
        self._source, self._holders, self._blocking = await asyncio.to_thread(choose, reader)
        self._lookup = None if self._blocking else _lookup()
        await self.scan()
        self._loop = asyncio.create_task(self._run(), name="ports")

    async def close(self) -> None:
        """Stop scanning and give all descriptors back."""
        self._stop.set()
        if self._loop is None:
            return
        await self._loop
        self._loop = None
        if self._looking is not None:
            # Cancelling would lose the pidfds that a look-up opened; one that hangs in the kernel is let go.
            await asyncio.wait({self._looking}, timeout=PERIOD)
        if self._again is not None:
            await asyncio.wait({self._again})
        if self._lookup is not None:
            self._lookup.close()
        self._source.close()
        self._holders.close()

    def snapshot(self) -> Mapping[int, Port]:
        """All ports by number, in order; a view that never changes."""
        return self._ports

    def repos_of_ports(self) -> list[tuple[int, str | None]]:
        """The number of each port with the path of its repo; None: a port of no repo."""
        return [(port.port, one.repo) for port in self._ports.values() for one in port.programs]

    def get(self, port: int) -> Port | None:
        """The port of a number, None when nothing listens there."""
        return self._ports.get(port)

    def outside(self, port: int) -> Outside | None:
        """Why a listener on this port is never shown: it is Homeport's own, or in none of the ranges."""
        return self._settings.outside(port)

    def reaches(self, program: Program, *, fresh: bool = False) -> bool:
        """Whether a connection to a program's address reaches one of its sockets now, and not what came after it.

        True where the system does not say. `fresh`: no answer of a moment ago will do.
        """
        if self._lookup is None:
            return True
        try:
            return self._lookup.inode(program.dialled, fresh=fresh) in program.inodes
        except OSError as error:
            log.error("cannot see what listens on port %d: %s", program.port, error)
            return False

    async def look_again(self) -> None:
        """Scan now, since a program is not where it was; all who ask meanwhile wait for one scan."""
        if self._again is None or self._again.done():
            self._again = asyncio.create_task(self.scan(), name="ports: look again")
        await asyncio.wait({self._again}, timeout=PATIENCE + PERIOD)

    async def scan(self) -> None:
        """Scan once and emit what changed. Of failures in a row the first is logged; the last view stays."""
        try:
            async with self._scanning:
                await self._scan()
        except Exception as error:
            if not self._failing:
                log.error("cannot see which ports listen: %s: %s", type(error).__name__, error)
            self._failing = True
        else:
            if self._failing:
                log.info("ports are seen again")
            self._failing = False

    async def _run(self) -> None:
        clock = asyncio.get_running_loop().time
        at = clock() + PERIOD
        while not self._stop.is_set():
            try:
                async with asyncio.timeout_at(at):
                    await self._stop.wait()
            except TimeoutError:
                await self.scan()
                at = max(at + PERIOD, clock())  # a scan that came late does not make those after it come late

    async def _scan(self) -> None:
        clock = asyncio.get_running_loop().time
        listeners = (
            await asyncio.to_thread(self._source.listeners) if self._blocking else self._source.listeners()
        )
        if listeners is not self._seen:
            self._seen = listeners
            self._covered = tuple(one for one in listeners if self._settings.covers(one.port))
            self._stale = True
        if self._looking is None:
            due = self._holders.due(self._covered, clock())
            if due:
                self._pending = frozenset(one for one in self._covered if not self._holders.settled(one))
                self._looking = asyncio.create_task(self._look(due), name="ports: owners")
                # It may hang in the kernel (a process in uninterruptible sleep, a dead network file system).
                # Then ports are shown without owner, and scanning goes on.
                await asyncio.wait({self._looking}, timeout=PATIENCE)
        if self._looking is not None and self._looking.done():
            looked, self._looking = self._looking, None
            self._pending = frozenset()
            self._stale = True
            looked.result()
        if self._stale:
            self._show()
            self._stale = False

    async def _look(self, due: Any) -> None:
        found = await asyncio.to_thread(self._holders.look_up, due)
        self._holders.learn(found, asyncio.get_running_loop().time())
        owners = (self._holders.owner(one) for one in self._covered)
        folders = frozenset(owner.cwd for owner in owners if owner is not None and owner.cwd is not None)
        if folders != self._visited:
            await self._repos.visit(folders)
            self._visited = folders

    def _show(self) -> None:
        before = self._ports
        after = merge(self._covered, self._known, self._repos.of, before, now(), os.getuid())
        self._ports = MappingProxyType(after)
        for change in changes(before, after):
            self.changed.emit(change)

    def _known(self, listener: Listener) -> Known:
        holders = self._holders
        # While a look-up is under way, the repo of an owner that is known may not be.
        settled = listener not in self._pending and holders.settled(listener)
        owner = holders.owner(listener)
        server = None if owner is None or owner.contained else self._server_of(owner)
        return Known(owner, holders.uid(listener), holders.user(listener), settled, server)

    def refresh(self) -> None:
        """Look at owners and repos anew at the next scan, though the sockets are the same."""
        self._stale = True
