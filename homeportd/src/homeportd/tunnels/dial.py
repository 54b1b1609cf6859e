"""Connecting a socket by name: the families race with a head start (RFC 8305), since one may lead nowhere."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import Any, Final

from homeportd.tunnels.address import LOOPBACK, is_local

HEAD_START_S: Final = 0.25  # of an address over the next one
MAX_ADDRESSES: Final = 8  # of one name that are tried

Info = tuple[int, int, int, str, Any]


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
        await _give_up(attempts)
    raise failure or OSError(f"{host} has no address")


async def _give_up(attempts: set[asyncio.Task[socket.socket]]) -> None:
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
    found: list[Info] = []
    try:
        found = await _ask(host, port)
    except UnicodeError as error:  # a label of more than 63 characters
        raise socket.gaierror(socket.EAI_NONAME, str(error)) from error
    return _alternating(found)[:MAX_ADDRESSES]


async def _ask(host: str, port: int) -> list[Info]:
    """What the system's resolver says. Its question cannot be taken back, and the loop's own threads are waited for
    at the end: one of ours is not, so that a program ends at once though no name server answers."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[Info]] = loop.create_future()

    def settle(found: list[Info], error: Exception | None) -> None:
        if answer.done():
            return
        if error is None:
            answer.set_result(found)
        else:
            answer.set_exception(error)

    def ask() -> None:
        found: list[Info] = []
        failure: Exception | None = None
        try:
            found.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, found, failure)

    threading.Thread(target=ask, name="resolver", daemon=True).start()
    return await answer


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
