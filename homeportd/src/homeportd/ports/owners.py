"""Owners of listening sockets, remembered from scan to scan (Linux).

A holder is looked up once for a socket that was not seen before, which takes a walk over /proc and so happens
off the event loop (`look_up`). All the rest is a few dictionary look-ups and one `epoll` call a scan, however
many processes there are: a pidfd per holder shows exactly when that process, and not another with its number,
has ended.
"""

from __future__ import annotations

import math
import os
import select
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from homeportd.accounts import user_name
from homeportd.ports import containers, process
from homeportd.ports.model import Owner
from homeportd.ports.netlink import Listener
from homeportd.ports.owner_reader.client import ask_owners
from homeportd.ports.owner_reader.protocol import SocketOwner

MAX_PIDFDS = 512  # descriptors that we spend on watching; holders beyond are checked by start time
VERIFY_EVERY = 30.0  # seconds until a known holder is read again: it may have closed the socket or moved
VERIFY_UNWATCHED = 1.0  # the same while some holder has no pidfd
VERIFY_NAMELESS = 2.0  # the same while a container's engine has not named it: it listens before it is listed
NAMELESS_FOR = 20.0  # seconds since a process began that its engine is asked that often
RETRY_FIRST, RETRY_MOST = 2.0, 64.0  # seconds until a socket without a readable holder is looked up again


@dataclass(frozen=True)
class Due:
    """Sockets to look up: those without a known holder, and holders to read again."""

    unknown: frozenset[int] = frozenset()
    known: Mapping[int, SocketOwner] = field(default_factory=dict)
    uids: frozenset[int] = frozenset()  # whose names are not known
    ports: Mapping[int, int] = field(default_factory=dict)  # inode -> port of all these sockets

    def __bool__(self) -> bool:
        return bool(self.unknown or self.known or self.uids)


@dataclass(frozen=True)
class Found:
    """The answer to a Due, by inode; None where no readable process holds the socket."""

    holders: Mapping[int, SocketOwner | None]
    pidfds: Mapping[int, int]  # pid -> a new descriptor that the receiver must close
    names: Mapping[int, str] = field(default_factory=dict)  # uid -> name


@dataclass(frozen=True)
class _Missing:
    again: float  # monotonic seconds
    delay: float


def look_up(due: Due, watched: Iterable[int] = (), reader: Path | None = None) -> Found:
    """Read /proc for a Due. Blocking: some 10 ms with hundreds of processes. A process may end meanwhile.

    `watched` are the pids that need no new pidfd. `reader` is the socket of the owner reader, which may read more.
    """
    holders: dict[int, SocketOwner | None] = {}
    unknown = set(due.unknown)
    for inode, holder in due.known.items():
        again = _read(inode, holder.pid, holder.descriptor)
        if again is None or again.started != holder.started:
            unknown.add(inode)
        else:
            holders[inode] = again
    pidfds: dict[int, int] = {}
    found = process.find_holders(unknown) if unknown else {}
    room = MAX_PIDFDS - len(set(watched))
    for inode, (pid, descriptor) in found.items():
        _open(pid, pidfds, watched, room)
        # Read after the pidfd was opened: if the number was recycled in between, the new process does not
        # hold this socket, and if it does it is the right one.
        holders[inode] = _read(inode, pid, descriptor)
    for inode in unknown - found.keys():
        holders[inode] = None
    _name_containers(holders, due.ports)
    if reader is not None:
        hidden = unknown - found.keys()
        answer = ask_owners(reader, hidden)
        if answer is None:  # busy, or just starting: what was known holds as long as that process lives
            answer = {
                inode: due.known[inode] for inode in hidden & due.known.keys() if _lives(due.known[inode])
            }
        for inode in hidden & answer.keys():
            _open(answer[inode].pid, pidfds, watched, room)
            holders[inode] = answer[inode]
    return Found(holders, pidfds, {uid: user_name(uid) for uid in due.uids})


def _lives(holder: SocketOwner) -> bool:
    try:
        return process.stat(holder.pid).started == holder.started
    except (OSError, ValueError, IndexError):
        return False


def _name_containers(holders: dict[int, SocketOwner | None], ports: Mapping[int, int]) -> None:
    """Add container names to the holders, by this user's own engines."""
    found: tuple[containers.Running, ...] | None = None
    for inode, holder in holders.items():
        if holder is not None and holder.owner.contained and inode in ports:
            if found is None:
                found = containers.running(containers.fetch(containers.sockets_of(os.getuid())))
            holders[inode] = replace(holder, owner=containers.complete(holder.owner, ports[inode], found))


def _open(pid: int, pidfds: dict[int, int], watched: Iterable[int], room: int) -> None:
    if pid not in pidfds and pid not in watched and len(pidfds) < room:
        with suppress(OSError):  # too old a kernel, or out of descriptors: it is checked by start time
            pidfds[pid] = os.pidfd_open(pid)


def _read(inode: int, pid: int, descriptor: int) -> SocketOwner | None:
    try:
        started = process.stat(pid).started
        owner = process.describe(pid, started)
        # The socket last: had the process ended above, and its number gone to another, it would not be there.
        return SocketOwner(pid, started, descriptor, owner) if process.holds(pid, descriptor, inode) else None
    except (OSError, ValueError, IndexError):
        return None


def _with_known_container(holder: SocketOwner, before: SocketOwner | None) -> SocketOwner:
    """A holder with the container that is known of the same process, when its engine has not answered this time."""
    same = before is not None and (before.pid, before.started) == (holder.pid, holder.started)
    if before is None or not same or before.owner.container is None or holder.owner.container is not None:
        return holder
    owner = replace(holder.owner, container=before.owner.container, cwd=before.owner.cwd)
    return replace(holder, owner=owner)


def _is_nameless(owner: Owner) -> bool:
    """Whether an engine may still name the container of an owner."""
    if not owner.contained or owner.container is not None:
        return False
    return owner.started_at > datetime.now(UTC) - timedelta(seconds=NAMELESS_FOR)


class Owners:
    """The known holders of sockets. Every method but `look_up` belongs to one thread and takes microseconds."""

    def __init__(self, reader: Path | None = None) -> None:
        self._reader = reader
        self._names: dict[int, str] = {}
        self._holders: dict[int, SocketOwner] = {}
        self._missing: dict[int, _Missing] = {}
        self._seen: tuple[Listener, ...] | None = None
        self._pidfds: dict[int, int] = {}
        self._pids: dict[int, int] = {}  # the inverse
        self._epoll = select.epoll()
        self._verify_at: float | None = None
        self._retry_at = math.inf  # the earliest of all that is missing

    def owner(self, listener: Listener) -> Owner | None:
        """The owner of a listener, as far as it is known now."""
        holder = None if listener.inode is None else self._holders.get(listener.inode)
        return holder.owner if holder is not None else None

    def user(self, listener: Listener) -> str | None:
        """The name of a listener's user, from the process or else from the socket itself."""
        owner = self.owner(listener)
        if owner is not None:
            return owner.user
        return None if listener.uid is None else self._names.get(listener.uid, str(listener.uid))

    def uid(self, listener: Listener) -> int | None:
        """The user who made a listener's socket."""
        return listener.uid

    def settled(self, listener: Listener) -> bool:
        """Whether the owner of a listener has been looked up, and a container named by its engine."""
        holder = None if listener.inode is None else self._holders.get(listener.inode)
        if holder is None:
            return listener.inode is None or listener.inode in self._missing
        return not _is_nameless(holder.owner)

    def due(self, listeners: tuple[Listener, ...], now: float) -> Due:
        """The sockets to look up at `now` (monotonic seconds); forgets those that are gone."""
        ended = self._drop_ended()
        if listeners is self._seen and not ended and now < self._retry_at and not self._verify_due(now):
            return Due()
        ports = {one.inode: one.port for one in listeners if one.inode is not None}
        inodes = set(ports)
        present = frozenset(one.uid for one in listeners if one.uid is not None)
        uids = present - self._names.keys()
        if listeners is not self._seen:
            self._forget(inodes)
            self._names = {uid: name for uid, name in self._names.items() if uid in present}
            self._seen = listeners
        unknown = frozenset(
            inode
            for inode in inodes
            if inode not in self._holders
            and (inode not in self._missing or self._missing[inode].again <= now)
        )
        known: Mapping[int, SocketOwner] = {}
        if self._verify_due(now):
            known = dict(self._holders)
            self._verify_at = None
        if self._verify_at is None:
            self._verify_at = now + self._period()
        return Due(unknown, known, uids, ports)

    def look_up(self, due: Due) -> Found:
        """Blocking, for a thread: see `look_up` of this module."""
        return look_up(due, frozenset(self._pidfds), self._reader)

    def learn(self, found: Found, now: float) -> bool:
        """Remember an answer of `look_up`; whether any owner changed."""
        changed = False
        for pid, descriptor in found.pidfds.items():
            self._watch(pid, descriptor)
        for inode, holder in found.holders.items():
            before = self._holders.pop(inode, None)
            missed = self._missing.pop(inode, None)
            changed = changed or (before and before.owner) != (holder and holder.owner)
            if holder is not None:
                self._holders[inode] = _with_known_container(holder, before)
            else:
                delay = RETRY_FIRST if missed is None else min(missed.delay * 2, RETRY_MOST)
                self._missing[inode] = _Missing(now + delay, delay)
        self._names.update(found.names)
        self._verify_at = min(self._verify_at or math.inf, now + self._period())
        self._retry_at = min((each.again for each in self._missing.values()), default=math.inf)
        self._seen = None  # sockets may have gone while we looked: the next scan tidies up
        return changed

    def close(self) -> None:
        """Give all descriptors back."""
        for pid in list(self._pidfds):
            self._unwatch(pid)
        self._epoll.close()
        self._holders.clear()
        self._missing.clear()

    def _period(self) -> float:
        """Seconds until the known holders are read again."""
        if any(holder.pid not in self._pidfds for holder in self._holders.values()):
            return VERIFY_UNWATCHED
        nameless = any(_is_nameless(holder.owner) for holder in self._holders.values())
        return VERIFY_NAMELESS if nameless else VERIFY_EVERY

    def _verify_due(self, now: float) -> bool:
        return self._verify_at is not None and self._verify_at <= now

    def _forget(self, present: set[int]) -> None:
        for table in (self._holders, self._missing):
            for inode in [inode for inode in table if inode not in present]:
                del table[inode]
        for pid in self._pidfds.keys() - {holder.pid for holder in self._holders.values()}:
            self._unwatch(pid)

    def _drop_ended(self) -> bool:
        ended = {self._pids[descriptor] for descriptor, _ in self._epoll.poll(0)}
        for pid in ended:
            self._unwatch(pid)
        if ended:
            for inode in [inode for inode, holder in self._holders.items() if holder.pid in ended]:
                del self._holders[inode]
        return bool(ended)

    def _watch(self, pid: int, descriptor: int) -> None:
        if pid in self._pidfds or self._epoll.closed:
            os.close(descriptor)
            return
        self._epoll.register(descriptor, select.EPOLLIN)  # a pidfd is readable once its process has ended
        self._pidfds[pid] = descriptor
        self._pids[descriptor] = pid

    def _unwatch(self, pid: int) -> None:
        descriptor = self._pidfds.pop(pid)
        del self._pids[descriptor]
        if not self._epoll.closed:
            self._epoll.unregister(descriptor)
        os.close(descriptor)
