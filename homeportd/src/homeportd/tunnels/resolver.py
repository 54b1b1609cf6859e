"""Name resolution by the system, in threads: a silent name server blocks neither the loop nor the program's end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import Any, Final

Info = tuple[int, int, int, str, Any]
"""As `socket.getaddrinfo` has them: family, type, protocol, canonical name, address."""

_NUMERIC: Final = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


async def look_up(host: str, port: int, kind: socket.SocketKind) -> list[Info]:
    """The addresses of a name; an address is returned as it is. Raises `socket.gaierror`.

    A lookup cannot be cancelled, and asyncio waits for the threads of its own executor at the end: each lookup has a
    daemon thread instead.
    """
    with contextlib.suppress(OSError, UnicodeError):
        return [*socket.getaddrinfo(host, port, type=kind, flags=_NUMERIC)]  # asks nobody
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[Info]] = loop.create_future()

    def settle(found: list[Info], error: OSError | None) -> None:
        if answer.done():
            return
        if error is None:
            answer.set_result(found)
        else:
            answer.set_exception(error)

    def ask() -> None:
        found: list[Info] = []
        failure: OSError | None = None
        try:
            found.extend(socket.getaddrinfo(host, port, type=kind))
        except OSError as error:
            failure = error
        except UnicodeError as error:  # a label of more than 63 characters
            failure = socket.gaierror(socket.EAI_NONAME, str(error))
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, found, failure)

    threading.Thread(target=ask, name="resolver", daemon=True).start()
    return await answer


def is_own_address(text: str) -> bool:
    """Whether an IP address is one of this machine's. Asked of the kernel, since addresses come and go."""
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((text, 0))
    except OSError:
        return False
    return True
