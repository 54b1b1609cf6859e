"""Answering the agent: each question in a process of its own, so that none holds up another, nor the next."""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from homeportd import json_text
from homeportd.peer_credentials import peer_uid
from homeportd.ports import containers, process
from homeportd.ports.owner_reader import privileges
from homeportd.ports.owner_reader.child import in_child
from homeportd.ports.owner_reader.holders import ListeningSocket, describe, folder_of
from homeportd.ports.owner_reader.protocol import (
    MAX_INODES,
    MAX_PATH,
    PATIENCE_S,
    SocketOwner,
    is_folder,
    read_line,
    send_line,
    socket_owner_to_json,
    working_tree_to_json,
)

MAX_OWNERS_AT_ONCE = 8  # questions about sockets; the agent has one at a time
MAX_TREES_AT_ONCE = 4  # questions about working trees; the agent has two
OWNERS_S, TREES_S = 15.0, 30.0  # seconds until a process that answers is ended
MAX_REPORTED = 1024  # folders that may be asked about
REPORTED_S = 120.0  # since a socket was last reported there: the agent asks about each every half minute
MAX_REPORT = 4 * MAX_PATH  # bytes of one report, with a path in JSON
MAX_REPORTS = 4  # about one folder that are tried
MAX_ENGINE_USERS = 3  # whose engines are asked about one port
REAP_S = 0.2


@dataclass(frozen=True)
class ReportedFolder:
    """A folder around which the agent may ask for a working tree, and why it may.

    Either the process `pid` of start time `started` runs in it, or the container engine of the user `engine` named it.
    """

    folder: str
    pid: int | None = None
    started: int | None = None
    engine: int | None = None


@dataclass(frozen=True)
class _Child:
    kind: str
    until: float


class Server:
    """The server: its listening socket, the folders it reported, its children at work."""

    def __init__(self, listener: socket.socket, uid: int) -> None:
        self._listener = listener
        self._uid = uid
        self._children: dict[int, _Child] = {}
        self._reported: OrderedDict[ReportedFolder, float] = OrderedDict()
        # Children send the folders of their answer here, before they answer.
        self._inbox, self._outbox = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._inbox.setblocking(False)

    def run(self) -> None:
        """Answer for ever."""
        while True:
            ready, _, _ = select.select(
                [self._inbox, self._listener], [], [], REAP_S if self._children else None
            )
            self._reap()
            self._remember()
            if self._listener in ready:
                with suppress(OSError, ValueError):
                    connection, _ = self._listener.accept()
                    with connection:
                        connection.settimeout(PATIENCE_S)
                        if peer_uid(connection) in (0, self._uid):
                            question = read_line(connection)
                            self._remember()  # a folder of the answer before may be asked about
                            self._take(question, connection)

    def _take(self, question: Any, connection: socket.socket) -> None:
        if not isinstance(question, dict) or len(question) != 1:
            raise ValueError("no question")
        [(kind, value)] = question.items()
        if kind == "owners":
            if not isinstance(value, list) or not all(type(inode) is int for inode in value):
                raise ValueError("no list of inodes")
            inodes = value[:MAX_INODES]
            self._fork("owners", OWNERS_S, connection, lambda: self._owners(inodes))
        elif kind in ("tree", "dirty"):
            reports = [each for each in self._reported if each.folder == value][-MAX_REPORTS:]
            if not is_folder(value) or not reports:
                raise ValueError("not a folder that was reported")
            _import_trees(kind == "dirty")
            self._fork("trees", TREES_S, connection, lambda: _tree(Path(value), reports, kind == "dirty"))

    def _fork(self, kind: str, seconds: float, connection: socket.socket, answer: Callable[[], Any]) -> None:
        most = MAX_OWNERS_AT_ONCE if kind == "owners" else MAX_TREES_AT_ONCE
        if sum(child.kind == kind for child in self._children.values()) >= most:
            return  # the agent comes again
        pid = os.fork()
        if pid:
            self._children[pid] = _Child(kind, time.monotonic() + seconds)
            return
        try:
            self._listener.close()
            signal.setitimer(signal.ITIMER_REAL, seconds)
            send_line(connection, answer())
        except BaseException:
            os._exit(1)
        os._exit(0)

    def _reap(self) -> None:
        for pid, child in list(self._children.items()):
            if time.monotonic() > child.until:
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG) == (0, 0):
                    continue
            del self._children[pid]

    def _remember(self) -> None:
        now = time.monotonic()
        with suppress(BlockingIOError):
            while True:
                reported = ReportedFolder(**json_text.loads(self._inbox.recv(MAX_REPORT)))
                self._reported[reported] = now
                self._reported.move_to_end(reported)
        while self._reported:
            oldest, seen = next(iter(self._reported.items()))
            if len(self._reported) <= MAX_REPORTED and now - seen <= REPORTED_S:
                break
            del self._reported[oldest]

    def _owners(self, inodes: list[int]) -> dict[int, Any]:
        engines: dict[int, tuple[containers.Running, ...]] = {}
        answer = {}
        for inode, found in describe(inodes).items():
            folder = folder_of(found, self._uid)
            reported = [ReportedFolder(str(folder), found.owner.pid, found.owner.started)] if folder else []
            owner = found.owner
            if owner.owner.contained:
                owner, engine = _with_container(found, engines)
                folder = owner.owner.cwd
                if engine is not None and folder is not None and engine != self._uid:
                    reported = [ReportedFolder(str(folder), engine=engine)] if is_folder(str(folder)) else []
            for each in reported:
                self._outbox.send(json.dumps(vars(each)).encode())
            answer[inode] = socket_owner_to_json(owner)
        return answer


def _with_container(
    found: ListeningSocket, engines: dict[int, tuple[containers.Running, ...]]
) -> tuple[SocketOwner, int | None]:
    """(A socket's owner with its container, the user whose engine named the container or None.)"""
    for uid in _engine_users(found):
        if uid not in engines:
            engines[uid] = _ask(uid)
        complete = containers.complete(found.owner.owner, found.port, engines[uid])
        if complete.container is not None:
            return replace(found.owner, owner=complete), uid
    return found.owner, None


def _engine_users(found: ListeningSocket) -> list[int]:
    """Users whose engine may have started a container: that of the process, those of its ancestors, root."""
    uids = [found.uid]
    for pid in process.ancestors(found.owner.pid):
        with suppress(OSError):
            uids.append(process.uid(pid))
    known = [uid for uid in dict.fromkeys(uids) if uid and process.has_account(uid)]
    return [*known[: MAX_ENGINE_USERS - 1], 0]


def _ask(uid: int) -> tuple[containers.Running, ...]:
    """The running containers of a user's engines, asked with that user's rights."""
    sockets = containers.sockets_of(uid)
    seconds = containers.TIME_OUT_S * len(sockets) + 0.5
    return containers.running(in_child(uid, lambda: containers.fetch(sockets), seconds))


def _tree(folder: Path, reports: Iterable[ReportedFolder], dirty: bool) -> Any:
    from homeportd.ports.owner_reader.trees import look

    for report in reports:
        expected = None
        if report.pid is not None:
            expected = _cwd(folder, report)
            if expected is None:
                continue  # that process is gone, or elsewhere
        found = look(folder, expected, report.engine or None, dirty)
        if found is not None:
            return found if isinstance(found, bool) else working_tree_to_json(found)
    return None


def _cwd(folder: Path, report: ReportedFolder) -> tuple[int, int] | None:
    """Device and inode of the folder that the process still runs in; None when it is another one."""
    assert report.pid is not None  # noqa: S101 - the caller looked
    try:
        if process.stat(report.pid).started != report.started:
            return None
        privileges.approach(report.pid)
        link = f"/proc/{report.pid}/cwd"
        if Path(link).readlink() != folder:
            return None
        # By the process's own link: the same path may be another folder to a process in a container.
        status = Path(link).stat()
        return status.st_dev, status.st_ino
    except (OSError, ValueError, IndexError):
        return None
    finally:
        privileges.step_back()


def _import_trees(dirty: bool) -> None:
    """Import what a child needs before it is made; and not before anybody asked, since asyncio is large."""
    importlib.import_module("homeportd.ports.owner_reader.trees")
    if dirty:
        for name in ("homeportd.repos.status", "concurrent.futures.thread"):
            importlib.import_module(name)


def serve(path: Path, uid: int) -> None:
    """Answer the user `uid` for ever. Raises OSError without a socket to be had."""
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
        Server(listener, uid).run()
