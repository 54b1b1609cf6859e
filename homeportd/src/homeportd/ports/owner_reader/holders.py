"""Listening sockets and the processes that hold them, of every user. Runs as root, reads only /proc."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from homeportd.ports import process
from homeportd.ports.owner_reader import privileges
from homeportd.ports.owner_reader.protocol import SocketOwner, is_folder

LISTEN = "0A"  # a state in /proc/net/tcp
MAX_ROW = 1024  # bytes


@dataclass(frozen=True)
class ListeningSocket:
    """A listening TCP socket: its port, its process, and that process's user `uid` (also where it may not be read)."""

    port: int
    uid: int
    owner: SocketOwner


def describe(inodes: Iterable[int]) -> dict[int, ListeningSocket]:
    """The listening TCP sockets among these inodes, by inode."""
    found = {}
    tables: dict[int, Mapping[int, int]] = {}
    try:
        for inode, (pid, descriptor) in process.find_holders(set(inodes), privileges.approach).items():
            with suppress(OSError, ValueError, IndexError):
                privileges.approach(pid)
                namespace = os.stat(f"/proc/{pid}/ns/net").st_ino  # noqa: PTH116 - as in process.py
                if namespace not in tables:
                    tables[namespace] = listening(pid)
                port = tables[namespace].get(inode)
                if port is None:
                    continue
                started = process.stat(pid).started
                owner = process.describe(pid, started)
                uid = process.uid(pid)
                # The socket last: had the process ended above, and its number gone to another, it would not be
                # there.
                if process.holds(pid, descriptor, inode):
                    found[inode] = ListeningSocket(port, uid, SocketOwner(pid, started, descriptor, owner))
    finally:
        privileges.step_back()
    return found


def listening(pid: int) -> dict[int, int]:
    """Inode -> port of each listening TCP socket in the network namespace of a process."""
    found = {}
    for table in ("tcp", "tcp6"):
        with suppress(OSError), open(f"/proc/{pid}/net/{table}", "rb") as file:  # noqa: PTH123
            file.readline(MAX_ROW)
            while row := file.readline(MAX_ROW).split():
                # Listening sockets come first (proc_net_tcp.rst), so that connections are not read.
                if row[3].decode() != LISTEN:
                    break
                found[int(row[9])] = int(row[1].rpartition(b":")[2], 16)
    return found


def folder_of(found: ListeningSocket, agent: int) -> Path | None:
    """The folder around which the agent may ask for a working tree, as the process itself has it.

    Not for the agent's own processes: these it can look at with its own rights, and it could start one anywhere.
    """
    cwd = found.owner.owner.cwd
    if cwd is None or found.uid == agent or not process.has_account(found.uid) or not is_folder(str(cwd)):
        return None
    return cwd
