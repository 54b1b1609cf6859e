"""Passwords: bcrypt, off the event loop, with a limit on how many may be checked at once."""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import bcrypt

from homeportd.errors import Problem, invalid

ROUNDS = 12  # about a quarter of a second a check
SHORTEST = 8  # characters of the dashboard's password
LONGEST = 1024  # characters of any password
WORKERS = 2
WAITING = 16  # checks that may wait; further ones are turned away

_T = TypeVar("_T")


def _digest(password: str) -> bytes:
    # bcrypt reads 72 bytes at most, so that longer passwords are hashed to a fixed length first.
    return b64encode(hashlib.sha256(password.encode()).digest())


class Passwords:
    """Hashing and checking of passwords; `rounds` is bcrypt's cost, lower only in tests."""

    def __init__(self, rounds: int = ROUNDS) -> None:
        self._rounds = rounds
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="bcrypt")
        self._busy = 0

    async def hash(self, password: str) -> str:
        """A new hash; raises Problem 422 for an empty or overlong password."""
        if not password:
            raise invalid("the password is empty", "give at least one character")
        if len(password) > LONGEST:
            raise invalid(f"the password is longer than {LONGEST} characters", "choose a shorter one")
        salt = bcrypt.gensalt(self._rounds)
        return (await self._run(bcrypt.hashpw, _digest(password), salt)).decode()

    async def matches(self, password: str, hashed: str) -> bool:
        """Compare in constant time; raises Problem 503 when too many checks are waiting."""
        if not password or len(password) > LONGEST:
            return False
        return await self._run(bcrypt.checkpw, _digest(password), hashed.encode())

    async def _run(self, function: Callable[[bytes, bytes], _T], first: bytes, second: bytes) -> _T:
        if self._busy >= WAITING:
            raise Problem(503, "too many passwords are being checked", "try again in a few seconds")
        self._busy += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, function, first, second)
        finally:
            self._busy -= 1

    def close(self) -> None:
        """End the threads; checks under way are finished first."""
        self._threads.shutdown(cancel_futures=True)
