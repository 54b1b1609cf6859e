"""Who holds each listening socket, remembered from scan to scan (Linux).

A holder is looked up once for a socket that was not seen before, which takes a walk over /proc and so happens
off the event loop (`look_up`). All the rest is a few dictionary look-ups and one `epoll` call a scan, however
many processes there are: a pidfd per holder tells exactly when that process, and not another with its number,
has ended.
"""

from __future__ import annotations

import math
import os
import select
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from homeportd.ports import process
from homeportd.ports.model import Owner
from homeportd.ports.netlink import Listener
from homeportd.ports.witness import Testimony as Holder
from homeportd.ports.witness import ask

MAX_PIDFDS = 512  # descriptors that we spend on watching; holders beyond are checked by start time
VERIFY_EVERY = 30.0  # seconds until a known holder is read again: it may have closed the socket or moved
VERIFY_UNWATCHED = 1.0  # the same while some holder has no pidfd
RETRY_FIRST, RETRY_MOST = 2.0, 64.0  # seconds until a socket without a readable holder is looked up again


@dataclass(frozen=True)
class Due:
    """What to look up: sockets nobody is known for, and holders to read again."""

    unknown: frozenset[int] = frozenset()
    known: Mapping[int, Holder] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.unknown or self.known)


@dataclass(frozen=True)
class Found:
    """The answer to a Due, by inode; None where no readable process holds the socket."""

    holders: Mapping[int, Holder | None]
    pidfds: Mapping[int, int]  # pid -> a new descriptor that the receiver must close


@dataclass(frozen=True)
class _Missing:
    again: float  # monotonic seconds
    delay: float


def look_up(due: Due, watched: Iterable[int] = (), witness: Path | None = None) -> Found:
    """Read /proc for a Due. Blocking: some 10 ms with hundreds of processes. A process may end meanwhile.

    `watched` are the pids that need no new pidfd. `witness` is the socket of who may read more than we do.
    """
    holders: dict[int, Holder | None] = {}
    unknown = set(due.unknown)
    for inode, holder in due.known.items():
        again = _read(inode, holder.pid, holder.descriptor)
        if again is None or again.started != holder.started:
            unknown.add(inode)
        else:
            holders[inode] = again
    pidfds: dict[int, int] = {}
    places = process.find_holders(unknown) if unknown else {}
    room = MAX_PIDFDS - len(set(watched))
    for inode, (pid, descriptor) in places.items():
        _open(pid, pidfds, watched, room)
        # Read after the pidfd was opened: if the number was recycled in between, the new process does not
        # hold this socket, and if it does it is the right one.
        holders[inode] = _read(inode, pid, descriptor)
    for inode in unknown - places.keys():
        holders[inode] = None
    if witness is not None:
        for inode, holder in ask(witness, unknown - places.keys()).items():
            if inode in unknown:
                _open(holder.pid, pidfds, watched, room)
                holders[inode] = holder
    return Found(holders, pidfds)


def _open(pid: int, pidfds: dict[int, int], watched: Iterable[int], room: int) -> None:
    if pid not in pidfds and pid not in watched and len(pidfds) < room:
        with suppress(OSError):  # too old a kernel, or out of descriptors: it is checked by start time
            pidfds[pid] = os.pidfd_open(pid)


def _read(inode: int, pid: int, descriptor: int) -> Holder | None:
    try:
        started = process.stat(pid).started
        owner = process.describe(pid, started)
        # The socket last: had the process ended above, and its number gone to another, it would not be there.
        return Holder(pid, started, descriptor, owner) if process.holds(pid, descriptor, inode) else None
    except (OSError, ValueError, IndexError):
        return None


class Owners:
    """The memory. Every method but `look_up` belongs to one thread and takes microseconds."""

    def __init__(self, witness: Path | None = None) -> None:
        self._witness = witness
        self._holders: dict[int, Holder] = {}
        self._missing: dict[int, _Missing] = {}
        self._seen: tuple[Listener, ...] | None = None
        self._pidfds: dict[int, int] = {}
        self._pids: dict[int, int] = {}  # the inverse
        self._epoll = select.epoll()
        self._verify_at: float | None = None
        self._retry_at = math.inf  # the earliest of all that is missing

    def owner(self, listener: Listener) -> Owner | None:
        """Who holds it, as far as is known now."""
        holder = None if listener.inode is None else self._holders.get(listener.inode)
        return holder.owner if holder is not None else None

    def due(self, listeners: tuple[Listener, ...], now: float) -> Due:
        """What must be looked up now (monotonic seconds); forgets what is gone."""
        ended = self._drop_ended()
        if listeners is self._seen and not ended and now < self._retry_at and not self._verify_due(now):
            return Due()
        inodes = {one.inode for one in listeners if one.inode is not None}
        if listeners is not self._seen:
            self._forget(inodes)
            self._seen = listeners
        unknown = frozenset(
            inode
            for inode in inodes
            if inode not in self._holders
            and (inode not in self._missing or self._missing[inode].again <= now)
        )
        known: Mapping[int, Holder] = {}
        if self._verify_due(now):
            known = dict(self._holders)
            self._verify_at = None
        if self._verify_at is None:
            unwatched = any(holder.pid not in self._pidfds for holder in self._holders.values())
            self._verify_at = now + (VERIFY_UNWATCHED if unwatched else VERIFY_EVERY)
        return Due(unknown, known)

    def look_up(self, due: Due) -> Found:
        """Blocking, for a thread: see `look_up` of this module."""
        return look_up(due, frozenset(self._pidfds), self._witness)

    def learn(self, found: Found, now: float) -> bool:
        """Remember an answer; says whether any owner became another."""
        changed = False
        for pid, descriptor in found.pidfds.items():
            self._watch(pid, descriptor)
        for inode, holder in found.holders.items():
            before = self._holders.pop(inode, None)
            missed = self._missing.pop(inode, None)
            changed = changed or (before and before.owner) != (holder and holder.owner)
            if holder is not None:
                self._holders[inode] = holder
            else:
                delay = RETRY_FIRST if missed is None else min(missed.delay * 2, RETRY_MOST)
                self._missing[inode] = _Missing(now + delay, delay)
        if any(holder.pid not in self._pidfds for holder in self._holders.values()):
            self._verify_at = min(self._verify_at or now, now + VERIFY_UNWATCHED)
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
