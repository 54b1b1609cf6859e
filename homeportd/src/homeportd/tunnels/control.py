"""The daemon's socket: one JSON object in, one out, for the daemon's own user alone."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable
from typing import Any, Final

from homeportd import sockets
from homeportd.peer_credentials import peer_uid
from homeportd.tunnels.errors import Problem, Reason
from homeportd.tunnels.state import Files

MAX_MESSAGE: Final = 1024 * 1024  # bytes of one request
MAX_CLIENTS: Final = 64
READ_S: Final = 10.0  # seconds for a request to come whole
WRITE_S: Final = 30.0

Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]

_log = logging.getLogger(__name__)


class Control:
    """Answers requests by `answer`, whose Problems become `{"error": …}`."""

    def __init__(self, files: Files, answer: Answer) -> None:
        self._files = files
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Listen. A socket that a dead daemon left is replaced: the caller holds the lock. Raises OSError."""
        listener = sockets.listen(self._files.socket, 0o600)
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=MAX_MESSAGE)

    async def close(self) -> None:
        """Answer no more."""
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
            said = await self._reply(line)
            writer.write(json.dumps(said).encode() + b"\n")
            async with asyncio.timeout(WRITE_S):
                await writer.drain()
        except (OSError, ValueError, asyncio.CancelledError):  # gone, too slow, or too long a line
            return
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _reply(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise ValueError("not an object")
        except ValueError as error:
            return _error(Problem(Reason.REQUEST, f"not understood: {error}", "use homeport of this release"))
        try:
            return await self._answer(request)
        except Problem as problem:
            return _error(problem)
        except Exception:
            _log.exception("a request failed")
            return _error(
                Problem(Reason.DAEMON, "the daemon failed", "look at its log: homeport daemon status")
            )


def _error(problem: Problem) -> dict[str, Any]:
    return {"error": problem.as_dict()}
