"""Changes in folders, by inotify(7): what a runner writes is seen at once, and costs nothing in between."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

from homeportd.tasks import TaskSet

POLL_S: Final = 0.2  # between two looks where inotify cannot be had: an editor took all of the user's watches
READ: Final = 64 * 1024
_MODIFY, _MOVED_TO, _CREATE = 0x2, 0x80, 0x100
_EVENT: Final = struct.Struct("iIII")
_IN_NONBLOCK, _IN_CLOEXEC = os.O_NONBLOCK, os.O_CLOEXEC

_libc = ctypes.CDLL(None, use_errno=True)


class FolderWatch:
    """Calls back when a file in a folder is written, made, or moved there; for many folders, with one descriptor."""

    def __init__(self) -> None:
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._polled: dict[int, Callable[[], None]] = {}
        self._tasks = TaskSet()
        self._descriptor: int = _libc.inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC)
        self._next = -2
        if self._descriptor >= 0:
            asyncio.get_running_loop().add_reader(self._descriptor, self._read)

    def add(self, folder: Path, callback: Callable[[], None]) -> int:
        """Call `callback` after changes in `folder`; returns the key for `remove`. A folder has one watch."""
        key = -1
        if self._descriptor >= 0:
            mask = _MODIFY | _MOVED_TO | _CREATE
            key = _libc.inotify_add_watch(self._descriptor, os.fsencode(folder), mask)
        if key >= 0:
            self._callbacks[key] = callback
            return key
        if not self._tasks:
            self._tasks.repeat(POLL_S, self._poll, "folders without inotify")
        self._next -= 1
        self._polled[self._next] = callback
        return self._next

    def remove(self, key: int) -> None:
        """Watch this folder no more."""
        if self._callbacks.pop(key, None) is not None:
            _libc.inotify_rm_watch(self._descriptor, key)
        self._polled.pop(key, None)
        if not self._polled:
            self._tasks.cancel()

    async def close(self) -> None:
        """Watch nothing any more."""
        await self._tasks.close()
        if self._descriptor >= 0:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, READ)
        except OSError as error:
            if error.errno == errno.EAGAIN:
                return
            raise
        keys = set()
        position = 0
        while position < len(data):
            key, _mask, _cookie, length = _EVENT.unpack_from(data, position)
            keys.add(key)
            position += _EVENT.size + length
        # Key -1 says that events were lost: all are looked at.
        for key in list(self._callbacks) if -1 in keys else keys:
            callback = self._callbacks.get(key)
            if callback is not None:
                callback()

    def _poll(self) -> None:
        for callback in tuple(self._polled.values()):
            callback()
