"""Passwords: bcrypt, off the event loop, with a limit on how many may be checked at once."""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

import bcrypt

from homeportd.errors import Problem, invalid

ROUNDS = 12  # about a quarter of a second a check
SHORTEST = 8  # characters of the dashboard's password
LONGEST = 1024  # characters of any password
WORKERS = 2
WAITING = 16  # checks of visitors that may wait; further ones are turned away
WAITING_LOGINS = WAITING + 4  # as above for the dashboard's password, for which visitors leave room
WAITING_OWNER = WAITING_LOGINS + 4  # as above for what the owner sets, for which logins leave room
A_CLIENT = 32  # checks of one client, of which one is under way and the others wait for it
CLIENTS = 1024  # with checks at one time

_T = TypeVar("_T")


def _digest(password: str) -> bytes:
    # bcrypt reads 72 bytes at most, so that longer passwords are hashed to a fixed length first.
    return b64encode(hashlib.sha256(password.encode()).digest())


class _Queue:
    """The checks of one client: `length` of them, one of which holds `lock`."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.length = 0


class Passwords:
    """Hashing and checking of passwords; `rounds` is bcrypt's cost, other than ROUNDS only in tests."""

    def __init__(self, rounds: int | None = None) -> None:
        self._rounds = rounds or ROUNDS
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="bcrypt")
        self._busy = 0
        self._queues: dict[str, _Queue] = {}  # by client

    async def hash(self, password: str) -> str:
        """A new hash; raises Problem 422 for an empty or overlong password."""
        if not password:
            raise invalid("the password is empty", "give at least one character")
        if len(password) > LONGEST:
            raise invalid(f"the password is longer than {LONGEST} characters", "choose a shorter one")
        salt = bcrypt.gensalt(self._rounds)
        return (await self._run(WAITING_OWNER, bcrypt.hashpw, _digest(password), salt)).decode()

    @asynccontextmanager
    async def turn(self, client: str) -> AsyncIterator[None]:
        """Check passwords of a client in the block, which one of its blocks at a time does: nobody takes all threads.

        Raises Problem 503 when too many of the client's, or too many clients, are waiting.
        """
        queue = self._queues.get(client) or _Queue()
        if queue.length >= A_CLIENT or (not queue.length and len(self._queues) >= CLIENTS):
            raise Problem(503, "too many passwords are being checked", "try again in a few seconds")
        self._queues[client] = queue
        queue.length += 1
        try:
            async with queue.lock:
                yield
        finally:
            queue.length -= 1
            if not queue.length:
                del self._queues[client]

    async def matches(self, password: str, hashed: str, waiting: int | None = None) -> bool:
        """Compare in constant time; raises Problem 503 when `waiting` checks (WAITING) are under way or wait."""
        if not password or len(password) > LONGEST:
            return False
        return await self._run(
            WAITING if waiting is None else waiting, bcrypt.checkpw, _digest(password), hashed.encode()
        )

    async def _run(
        self, waiting: int, function: Callable[[bytes, bytes], _T], first: bytes, second: bytes
    ) -> _T:
        if self._busy >= waiting:
            raise Problem(503, "too many passwords are being checked", "try again in a few seconds")
        self._busy += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, function, first, second)
        finally:
            self._busy -= 1

    def close(self) -> None:
        """End the threads; checks under way are finished first."""
        self._threads.shutdown(cancel_futures=True)
