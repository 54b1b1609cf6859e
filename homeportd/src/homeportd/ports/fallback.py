"""Listening sockets by psutil: for macOS, and for containers whose kernel refuses netlink.

Slower than netlink by two orders of magnitude (it walks every process each time), so it always runs in a
thread. psutil is imported here alone, when it is needed: it costs 2 MB of memory.
"""

from __future__ import annotations

import importlib
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from homeportd.ports.model import Owner
from homeportd.ports.netlink import Listener, address_text
from homeportd.ports.process import MAX_ARGUMENTS


def _psutil() -> Any:
    # By name, so that type checking does not depend on whether stubs of psutil are installed.
    return importlib.import_module("psutil")


class Psutil:
    """A source of listening sockets, in place of `Netlink`."""

    def __init__(self) -> None:
        self._psutil = _psutil()
        self._before: tuple[Listener, ...] = ()

    def listeners(self) -> tuple[Listener, ...]:
        """Every listening TCP socket that we may see. Blocking, tens of milliseconds. Raises OSError."""
        found = {
            Listener(_normal(one.laddr.ip), one.laddr.port, inode=None, uid=None, pid=pid)
            for one, pid in self._connections()
            if one.status == self._psutil.CONN_LISTEN and one.laddr
        }
        now = tuple(sorted(found, key=lambda one: (":" in one.address, one.port, one.address, one.pid or 0)))
        if now != self._before:
            self._before = now
        return self._before

    def _connections(self) -> list[tuple[Any, int | None]]:
        psutil = self._psutil
        if sys.platform != "darwin":
            try:
                return [(one, one.pid) for one in psutil.net_connections(kind="tcp")]
            except psutil.Error as error:
                raise OSError(f"psutil: {error}") from error
        # macOS shows only root the sockets of all; of our own processes we may ask one by one.
        found: list[tuple[Any, int | None]] = []
        for each in psutil.process_iter():
            try:
                found.extend((one, each.pid) for one in each.net_connections(kind="tcp"))
            except psutil.Error:
                continue
        return found

    def close(self) -> None:
        """Nothing is kept open."""


def _normal(address: str) -> str:
    """An address as netlink writes it: mapped IPv4 as IPv4, without a zone."""
    bare = address.partition("%")[0]
    family = socket.AF_INET6 if ":" in bare else socket.AF_INET
    return address_text(socket.inet_pton(family, bare))


@dataclass(frozen=True)
class Due:
    """The processes to read: all, every time, since there is no cheaper way to notice a recycled pid."""

    pids: frozenset[int]
    known: Mapping[int, Owner]

    def __bool__(self) -> bool:
        return bool(self.pids)


class PsutilOwners:
    """Owners of listening sockets, in place of `Owners`, known by process and not by socket."""

    def __init__(self) -> None:
        self._psutil = _psutil()
        self._owners: dict[int, Owner] = {}
        self._uids: dict[int, int] = {}  # of the same processes

    def owner(self, listener: Listener) -> Owner | None:
        """The owner of a listener, as far as it is known now."""
        return None if listener.pid is None else self._owners.get(listener.pid)

    def user(self, listener: Listener) -> str | None:
        """The name of a listener's user."""
        owner = self.owner(listener)
        return owner.user if owner is not None else None

    def uid(self, listener: Listener) -> int | None:
        """The user of a listener's process."""
        return None if listener.pid is None else self._uids.get(listener.pid)

    def settled(self, listener: Listener) -> bool:
        """Whether the owner of a listener has been looked up."""
        return listener.pid is None or listener.pid in self._owners

    def due(self, listeners: tuple[Listener, ...], now: float) -> Due:
        """The listeners to look up now."""
        del now
        pids = frozenset(one.pid for one in listeners if one.pid is not None)
        self._owners = {pid: owner for pid, owner in self._owners.items() if pid in pids}
        return Due(pids, dict(self._owners))

    def look_up(self, due: Due) -> Mapping[int, Owner]:
        """Blocking, for a thread. A process that ends meanwhile is left out."""
        found = {pid: self._describe(pid) for pid in due.pids}
        return {pid: owner for pid, owner in found.items() if owner is not None}

    def learn(self, found: Mapping[int, Owner], now: float) -> bool:
        """Remember an answer of `look_up`; whether any owner changed."""
        del now
        changed = dict(found) != self._owners
        self._owners = dict(found)
        self._uids = {pid: uid for pid, uid in self._uids.items() if pid in found}
        return changed

    def close(self) -> None:
        """Nothing is kept open."""

    def _describe(self, pid: int) -> Owner | None:
        psutil = self._psutil
        try:
            one = psutil.Process(pid)
            with one.oneshot():
                started = datetime.fromtimestamp(one.create_time(), UTC)
                self._uids[pid] = one.uids().effective
                user, argv = one.username(), tuple(one.cmdline()[:MAX_ARGUMENTS])
                cwd = self._cwd(one)
        except (psutil.Error, OSError):
            return None
        return Owner(
            pid, started, user, tuple(part.encode("utf-8", "replace").decode() for part in argv), cwd
        )

    def _cwd(self, one: Any) -> Path | None:
        try:
            text = one.cwd()
            text.encode()
        except (self._psutil.Error, OSError, UnicodeEncodeError):
            return None
        return Path(text) if text else None
