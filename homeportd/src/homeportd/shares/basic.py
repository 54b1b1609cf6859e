"""Passwords by HTTP Basic: a script sends its own with each request, many side by side, and bcrypt runs once."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any, Final

from homeportd.networks import Address
from homeportd.shares.model import Decision, Share

REMEMBERED: Final = 1024  # passwords known to be right, none of them readable


class Basic:
    """Digests of passwords that were right for a generation of a share."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._proving: dict[tuple[bytes, Address], asyncio.Task[Decision]] = {}

    def knows(self, share: Share, password: str) -> bool:
        """Whether this password opened this very generation."""
        return self._digest(share, password) in self._right

    async def prove(
        self,
        share: Share,
        password: str,
        address: Address,
        check: Callable[[], Coroutine[Any, Any, Decision]],
    ) -> Decision:
        """The decision of `check`, remembered when it is LOGIN.

        Requests that come side by side from one address with one password are one check: one guess, one use.
        """
        key = self._digest(share, password), address
        proving = self._proving.get(key)
        if proving is None:
            proving = asyncio.create_task(self._prove(key[0], check))
            self._proving[key] = proving
            proving.add_done_callback(lambda _: self._proving.pop(key))
        return await asyncio.shield(proving)

    async def _prove(self, digest: bytes, check: Callable[[], Coroutine[Any, Any, Decision]]) -> Decision:
        decision = await check()
        if decision is Decision.LOGIN:
            self._right[digest] = None
            if len(self._right) > REMEMBERED:
                self._right.popitem(last=False)
        return decision

    def _digest(self, share: Share, password: str) -> bytes:
        return hmac.digest(self._key, f"{share.grant}.{password}".encode(), "sha256")
