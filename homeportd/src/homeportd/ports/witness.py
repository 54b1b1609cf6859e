"""Who holds the sockets of root, said by a process of root to the agent alone.

A person who has only root on a machine (a fresh server, a container) starts dev servers as root, while the
agent runs as another user and may not look at them. There, and only there, the installation runs this
witness: it answers one question, opens no port and reads nothing but /proc. One JSON line in, one out, on a
unix socket.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from homeportd.ports import process
from homeportd.ports.model import Owner

MAX_INODES = 1024  # a question
MAX_LINE = 1024 * 1024  # bytes of a question or an answer
PATIENCE_S = 2.0  # for either side


@dataclass(frozen=True)
class Testimony:
    """One process that holds a socket: (pid, started) names it, started being clock ticks since boot."""

    pid: int
    started: int
    descriptor: int
    owner: Owner


def examine(inodes: Iterable[int]) -> dict[int, Testimony]:
    """Who of the processes that we may read holds each socket; the others are left out."""
    found = {}
    for inode, (pid, descriptor) in process.find_holders(set(inodes)).items():
        with suppress(OSError, ValueError, IndexError):
            started = process.stat(pid).started
            owner = process.describe(pid, started)
            # The socket last: had the process ended above, and its number gone to another, it would not be
            # there.
            if process.holds(pid, descriptor, inode):
                found[inode] = Testimony(pid, started, descriptor, owner)
    return found


def ask(path: Path, inodes: Iterable[int]) -> dict[int, Testimony]:
    """Ask the witness; nothing where there is none. Blocking, at most PATIENCE_S seconds."""
    question = sorted(inodes)[:MAX_INODES]
    if not question:
        return {}
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
            connection.settimeout(PATIENCE_S)
            connection.connect(str(path))
            # Anybody may have put a socket there, but only root could have put root behind it.
            if _peer_uid(connection) not in (0, os.getuid()):
                return {}
            connection.sendall(json.dumps(question).encode() + b"\n")
            answer = json.loads(_line(connection))
            return {int(inode): _testimony(**said) for inode, said in answer.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def serve(path: Path, uid: int) -> None:
    """Answer the user `uid`, one question at a time, for ever. Raises OSError without a socket to be had."""
    # The kernel says who asks, so the socket may be open to all. Its folder must be root's: a chown in a
    # folder of another user could be led to another file.
    path.parent.mkdir(mode=0o755, exist_ok=True)
    folder = path.parent.stat()
    if folder.st_uid != os.getuid() or folder.st_mode & 0o022:
        raise PermissionError(1, "the folder is not root's alone", str(path.parent))
    path.parent.chmod(0o755)  # whatever the umask left: the agent's user must reach the socket
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as listener:
        before = os.umask(0o111)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        listener.listen(8)
        while True:
            connection, _ = listener.accept()
            with connection, suppress(OSError, ValueError):
                connection.settimeout(PATIENCE_S)
                if _peer_uid(connection) in (0, uid):
                    _answer(connection)


def _answer(connection: socket.socket) -> None:
    question = json.loads(_line(connection))
    if not isinstance(question, list) or not all(type(inode) is int for inode in question):
        raise ValueError("a question is a list of inodes")
    found = examine(question[:MAX_INODES])
    connection.sendall(json.dumps({inode: _said(each) for inode, each in found.items()}).encode() + b"\n")


def _line(connection: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        part = connection.recv(64 * 1024)
        line += part
        if not part or len(line) > MAX_LINE:
            raise ValueError("no whole line")
    return line


def _peer_uid(connection: socket.socket) -> int:
    _pid, uid, _gid = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(uid)


def _said(testimony: Testimony) -> dict[str, Any]:
    owner = testimony.owner
    return {
        "pid": testimony.pid,
        "started": testimony.started,
        "descriptor": testimony.descriptor,
        "started_at": owner.started_at.timestamp(),
        "user": owner.user,
        "argv": owner.argv,
        "cwd": str(owner.cwd) if owner.cwd else None,
    }


def _testimony(
    pid: int, started: int, descriptor: int, started_at: float, user: str, argv: list[str], cwd: str | None
) -> Testimony:
    moment = datetime.fromtimestamp(started_at, UTC)
    owner = Owner(int(pid), moment, str(user), tuple(map(str, argv)), Path(cwd) if cwd else None)
    return Testimony(int(pid), int(started), int(descriptor), owner)
