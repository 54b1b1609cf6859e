"""TCP connections by name: Happy Eyeballs (RFC 8305), since one address family may lead nowhere."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Final

from homeportd.tunnels.address import LOOPBACK, is_local
from homeportd.tunnels.resolver import Info, look_up

HEAD_START_S: Final = 0.25  # of an address over the next one
MAX_ADDRESSES: Final = 8  # of one name that are tried


async def connect(host: str, port: int) -> socket.socket:
    """A connected TCP socket, not blocking. Raises OSError: the first failure, `socket.gaierror` for the name."""
    addresses = await _resolve(host, port)
    loop = asyncio.get_running_loop()
    attempts: set[asyncio.Task[socket.socket]] = set()
    failure: OSError | None = None
    try:
        while addresses or attempts:
            if addresses:
                attempts.add(loop.create_task(_attempt(addresses.pop(0))))
            done, attempts = await asyncio.wait(
                attempts, timeout=HEAD_START_S if addresses else None, return_when=asyncio.FIRST_COMPLETED
            )
            for attempt in done:
                error = attempt.exception()
                if error is None:
                    attempts |= done - {attempt}
                    return attempt.result()
                if not isinstance(error, OSError):
                    raise error
                failure = failure or error
    finally:
        await _cancel(attempts)
    raise failure or OSError(f"{host} has no address")


async def _cancel(attempts: set[asyncio.Task[socket.socket]]) -> None:
    for attempt in attempts:
        attempt.cancel()
    for result in await asyncio.gather(*attempts, return_exceptions=True):
        if isinstance(result, socket.socket):
            result.close()


async def _attempt(info: Info) -> socket.socket:
    family, kind, proto, _, address = info
    made = socket.socket(family, kind, proto)
    try:
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, address)
    except BaseException:
        made.close()
        raise
    return made


async def _resolve(host: str, port: int) -> list[Info]:
    if is_local(host):  # RFC 6761: not every resolver knows
        return [
            (socket.AF_INET6 if ":" in text else socket.AF_INET, socket.SOCK_STREAM, 0, "", (text, port))
            for text in LOOPBACK
        ]
    return _alternating(await look_up(host, port, socket.SOCK_STREAM))[:MAX_ADDRESSES]


def _alternating(infos: list[Info]) -> list[Info]:
    """The families in turn, beginning with the one that the resolver prefers."""
    if not infos:
        return []
    first = [info for info in infos if info[0] == infos[0][0]]
    second = [info for info in infos if info[0] != infos[0][0]]
    mixed: list[Info] = []
    with contextlib.suppress(IndexError):
        while first or second:
            mixed.append((first or second).pop(0))
            if second:
                mixed.append(second.pop(0))
    return mixed
