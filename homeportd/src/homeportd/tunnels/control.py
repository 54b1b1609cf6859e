"""The daemon's control socket: one JSON object in, one out, for the daemon's own user and root."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable
from typing import Any, Final

from homeportd import json_text, sockets
from homeportd.peer_credentials import peer_uid
from homeportd.tunnels.errors import Reason, TunnelError
from homeportd.tunnels.state import DaemonFiles

MAX_MESSAGE: Final = 1024 * 1024  # bytes of one request
MAX_CLIENTS: Final = 64
READ_S: Final = 10.0  # seconds for a request to come whole
WRITE_S: Final = 30.0

Answer = Callable[[dict[str, Any]], Awaitable[object]]

_log = logging.getLogger(__name__)


class ControlServer:
    """A server that answers each request by `answer`, whose TunnelErrors become `{"error": …}`."""

    def __init__(self, files: DaemonFiles, answer: Answer) -> None:
        self._files = files
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Listen. A socket of a dead daemon is replaced: the caller holds the lock. Raises OSError."""
        listener = sockets.listen(self._files.socket, 0o600)
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=MAX_MESSAGE)

    async def close(self) -> None:
        """Stop listening, and cancel requests under way."""
        if self._server is not None:
            self._server.close()
            self._files.socket.unlink(missing_ok=True)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._tasks) >= MAX_CLIENTS:
            writer.close()
            return
        self._tasks.add(task)
        try:
            uid = peer_uid(writer.get_extra_info("socket"))
            if uid is not None and uid not in (os.getuid(), 0):
                return
            async with asyncio.timeout(READ_S):
                line = await reader.readline()
            response = await self._respond(line)
            writer.write(json.dumps(response).encode() + b"\n")
            async with asyncio.timeout(WRITE_S):
                await writer.drain()
        except (OSError, ValueError, asyncio.CancelledError):  # gone, too slow, or too long a line
            return
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _respond(self, line: bytes) -> object:
        try:
            request = json_text.loads(line)
            if not isinstance(request, dict):
                raise ValueError("not an object")
        except ValueError as error:
            return _error(
                TunnelError(Reason.REQUEST, f"not understood: {error}", "use homeport of this release")
            )
        try:
            return await self._answer(request)
        except TunnelError as error:
            return _error(error)
        except Exception:
            _log.exception("a request failed")
            return _error(
                TunnelError(Reason.DAEMON, "the daemon failed", "look at its log: homeport daemon status")
            )


def _error(error: TunnelError) -> dict[str, Any]:
    return {"error": error.as_dict()}
