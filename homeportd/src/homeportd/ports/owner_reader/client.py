"""Questions to the owner reader. Each function blocks, for the time that its docstring names."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from homeportd.peer_credentials import peer_uid
from homeportd.ports.owner_reader.protocol import (
    MAX_INODES,
    SocketOwner,
    read_line,
    send_line,
    socket_owner_from_json,
    working_tree_from_json,
)
from homeportd.repos.model import WorkingTree

OWNERS_S = 16.0  # a container engine that does not answer is part of it
TREE_S = 31.0
AT_ONCE = 2  # questions about trees
SLOW_S, AGAIN_S = 10.0, 60.0  # an answer that took longer than the one is not asked for within the other
Answer = TypeVar("Answer")


def ask_owners(path: Path, inodes: Iterable[int]) -> dict[int, SocketOwner] | None:
    """The owners of these sockets, by inode; None without an answer. Blocks for OWNERS_S seconds at most."""
    question = sorted(inodes)[:MAX_INODES]
    if not question:
        return {}
    try:
        answer = _ask(path, {"owners": question}, OWNERS_S)
        return {int(inode): socket_owner_from_json(said) for inode, said in answer.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def ask_tree(path: Path, folder: Path) -> WorkingTree | None:
    """The working tree around a folder; at most TREE_S seconds. Raises OSError or ValueError without an answer."""
    answer = _ask(path, {"tree": str(folder)}, TREE_S)
    if answer is None:
        return None
    try:
        tree = working_tree_from_json(answer)
    except (TypeError, KeyError) as error:
        raise ValueError("no tree") from error
    return tree if folder.is_relative_to(tree.path) else None


def ask_dirty(path: Path, folder: Path) -> bool | None:
    """Whether the working tree around a folder has changes; as `ask_tree`."""
    answer = _ask(path, {"dirty": str(folder)}, TREE_S)
    return answer if isinstance(answer, bool) else None


def _ask(path: Path, question: dict[str, Any], seconds: float) -> Any:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
        connection.settimeout(seconds)
        connection.connect(str(path))
        # Anybody may have put a socket there, but only root could have put root behind it.
        if peer_uid(connection) not in (0, os.getuid()):
            raise PermissionError(1, "not root's", str(path))
        send_line(connection, question)
        return read_line(connection)


class TreeReader:
    """The reader's view of working trees, for the room of the repos."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._not_before: dict[Path, float] = {}  # monotonic seconds; of folders that took long

    async def tree(self, folder: Path) -> WorkingTree | None:
        """The working tree around a folder, None where there is none. Raises OSError without an answer."""
        return await self._asked(ask_tree, folder)

    async def dirty(self, folder: Path) -> bool | None:
        """Whether the working tree around a folder has changes, None where git cannot tell. Raises OSError likewise."""
        return await self._asked(ask_dirty, folder)

    async def _asked(self, ask: Callable[[Path, Path], Answer], folder: Path) -> Answer:
        now = time.monotonic()
        self._not_before = {path: until for path, until in self._not_before.items() if until > now}
        if folder in self._not_before:
            raise TimeoutError(f"{folder} took too long a moment ago")
        async with self._slots:
            begun = time.monotonic()
            try:
                return await asyncio.to_thread(ask, self._path, folder)
            except ValueError as error:
                raise OSError("no answer") from error
            finally:
                # A file system that hangs shall not keep the others waiting every time.
                if time.monotonic() - begun > SLOW_S:
                    self._not_before[folder] = time.monotonic() + AGAIN_S
