"""Passwords by HTTP Basic: a script sends its own with each request, many side by side, and bcrypt runs once."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from typing import Any, Final

from homeportd.networks import Address, client_key
from homeportd.shares.model import Decision, Share

REMEMBERED: Final = 1024  # passwords known to be right, none of them readable
CLIENTS: Final = 16 * 1024  # clients (an IPv4 address, an IPv6 /64) of shares whose uses are counted


class Basic:
    """Digests of passwords that were right for a generation of a share; where uses are counted, each client's own.

    The client that was heard of longest ago is forgotten beyond CLIENTS: its next request is one more use.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._counted: OrderedDict[tuple[bytes, str], None] = OrderedDict()
        self._proving: dict[tuple[bytes, str], asyncio.Task[Decision]] = {}

    def knows(self, share: Share, password: str) -> bool:
        """Whether this password opened this very generation."""
        return self._digest(share, password) in self._right

    def lets_in(self, share: Share, password: str, address: Address) -> bool:
        """Whether a client may send this password without a check: it is known and, where uses count, has counted."""
        digest = self._digest(share, password)
        if digest not in self._right:
            return False
        self._right.move_to_end(digest)
        if share.max_uses is None:
            return True
        client = (digest, client_key(address))
        if client not in self._counted:
            return False
        self._counted.move_to_end(client)
        return True

    async def prove(
        self,
        share: Share,
        password: str,
        address: Address,
        check: Callable[[], Coroutine[Any, Any, Decision]],
    ) -> Decision:
        """The decision of `check`, remembered when it is LOGIN.

        Requests that come side by side from one client with one password are one check: one guess, one use.
        """
        key = self._digest(share, password), client_key(address)
        proving = self._proving.get(key)
        if proving is None:
            proving = asyncio.create_task(self._prove(key, check))
            self._proving[key] = proving
            proving.add_done_callback(lambda _: self._proving.pop(key))
        return await asyncio.shield(proving)

    async def _prove(
        self, key: tuple[bytes, str], check: Callable[[], Coroutine[Any, Any, Decision]]
    ) -> Decision:
        decision = await check()
        if decision is Decision.LOGIN:
            self._right[key[0]] = None
            if len(self._right) > REMEMBERED:
                self._right.popitem(last=False)
            self._counted[key] = None
            if len(self._counted) > CLIENTS:
                self._counted.popitem(last=False)
        return decision

    def _digest(self, share: Share, password: str) -> bytes:
        return hmac.digest(self._key, f"{share.grant}.{password}".encode(), "sha256")
