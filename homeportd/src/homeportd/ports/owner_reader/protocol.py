"""Questions and answers of the owner reader: one JSON line each on a unix stream socket.

Questions: `{"owners": [inode, ...]}`, `{"tree": folder}`, `{"dirty": folder}`. The answer is an object under the same
key, or nothing at all where a question is refused or cannot be answered.
"""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from homeportd import json_text
from homeportd.ports.model import Container, Owner
from homeportd.printable import printable
from homeportd.repos.model import WorkingTree, without_credentials

MAX_INODES = 1024  # of one question
MAX_LINE = 1024 * 1024  # bytes of a question or an answer
MAX_PATH = 4096  # bytes
MAX_TEXT = 512  # characters of a branch or remote
PATIENCE_S = 2.0  # for a question to arrive


@dataclass(frozen=True)
class SocketOwner:
    """A process that holds a socket; (pid, started) identifies it, `started` in clock ticks since boot."""

    pid: int
    started: int
    descriptor: int
    owner: Owner


def read_line(connection: socket.socket) -> Any:
    """The JSON value of one line; raises ValueError for what is none, OSError when it does not come."""
    line = b""
    while not line.endswith(b"\n"):
        part = connection.recv(64 * 1024)
        line += part
        if not part or len(line) > MAX_LINE:
            raise ValueError("no whole line")
    return json_text.loads(line)


def send_line(connection: socket.socket, value: Any) -> None:
    """Send a JSON value as one line."""
    connection.sendall(json.dumps(value).encode() + b"\n")


def socket_owner_to_json(found: SocketOwner) -> dict[str, Any]:
    """A socket's owner as it is sent."""
    owner = found.owner
    container = owner.container
    return {
        "pid": found.pid,
        "started": found.started,
        "descriptor": found.descriptor,
        "started_at": owner.started_at.timestamp(),
        "user": owner.user,
        "argv": owner.argv,
        "cwd": str(owner.cwd) if owner.cwd else None,
        "contained": owner.contained,
        "container": [container.name, container.service, container.project] if container else None,
    }


def socket_owner_from_json(value: dict[str, Any]) -> SocketOwner:
    """The inverse of `socket_owner_to_json`. Raises ValueError, TypeError or KeyError."""
    cwd, container = value["cwd"], value["container"]
    owner = Owner(
        pid=int(value["pid"]),
        started_at=datetime.fromtimestamp(value["started_at"], UTC),
        user=str(value["user"]),
        argv=tuple(map(str, value["argv"])),
        cwd=Path(cwd) if cwd else None,
        container=Container(*container) if container else None,
        contained=bool(value["contained"]),
    )
    return SocketOwner(owner.pid, int(value["started"]), int(value["descriptor"]), owner)


def working_tree_to_json(tree: WorkingTree) -> dict[str, Any]:
    """A working tree as it is sent."""
    return {
        "path": str(tree.path),
        "git_dir": str(tree.git_dir),
        "common_dir": str(tree.common_dir),
        "branch": tree.branch,
        "remote": tree.remote,
        "uid": tree.uid,
    }


def working_tree_from_json(value: dict[str, Any]) -> WorkingTree:
    """A working tree as a process with another user's rights sent it. Raises ValueError, TypeError or KeyError."""
    remote = _text(value["remote"])
    return WorkingTree(
        path=_absolute(value["path"]),
        git_dir=_absolute(value["git_dir"]),
        common_dir=_absolute(value["common_dir"]),
        branch=_text(value["branch"]),
        remote=without_credentials(remote) if remote is not None else None,
        uid=int(value["uid"]),
    )


def is_folder(text: Any) -> bool:
    """Whether `text` is an absolute path that can be shown, without `..` or double slashes."""
    return (
        isinstance(text, str)
        and text.startswith("/")
        and text.isprintable()
        and len(text.encode("utf-8", "replace")) <= MAX_PATH
        and all(part not in ("", ".", "..") for part in text[1:].split("/"))
    )


def _absolute(text: Any) -> Path:
    if not is_folder(text):
        raise ValueError("no path")
    return Path(text)


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise TypeError("no text")
    return printable(value)[:MAX_TEXT] or None
