"""A probe of an edge: one link, opened and closed again, to learn whether the edge accepts an account's token."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from dataclasses import dataclass
from typing import Final

from homeportd.tunnels.account import Account
from homeportd.tunnels.link import ClientIdentity, Link
from homeportd.tunnels.protocol import Rotate, Welcome

RUN_PREFIX: Final = "init"  # by which an edge's log tells a probe from a client
ROTATE_S: Final = 2.0  # seconds for the edge to send the newer token, which comes after its welcome


@dataclass(frozen=True)
class Probe:
    """The edge's welcome. `newer_token`: the successor of a token that was replaced, where the edge still has it:
    one that was restarted since has not.
    """

    welcome: Welcome
    newer_token: str | None


def probe(account: Account) -> Probe:
    """Connect, be welcomed, and leave. Raises TunnelError."""
    return asyncio.run(_probe(account))


async def _probe(account: Account) -> Probe:
    identity = ClientIdentity(f"{RUN_PREFIX}-{secrets.token_hex(8)}", socket.gethostname()[:64] or "client")
    link = await Link.of(account, 0, identity)
    newer = None if link.welcome.token_ends is None else await _newer_token(link)
    await link.close()
    return Probe(link.welcome, newer)


async def _newer_token(link: Link) -> str | None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ROTATE_S):
            async for message in link.messages():
                if isinstance(message, Rotate):
                    return message.token
    return None
