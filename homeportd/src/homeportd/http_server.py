"""HTTP servers on the unix sockets of the agent: several uvicorn servers in one process, each with a bounded end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from homeportd import sockets
from homeportd.uvicorn_shutdown import STOP_S, hang_up

START_TICK_S = 0.005  # between two looks whether uvicorn has started


class _Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wait for requests under way, but cut connections that send or read too slowly after STOP_S."""
        timer = asyncio.get_running_loop().call_later(STOP_S, hang_up, self.server_state)
        try:
            await super().shutdown(sockets)
        finally:
            timer.cancel()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the agent."""
        yield


class UnixServer:
    """One server at a path. `mode`: of the socket file."""

    def __init__(self, path: Path, mode: int, config: uvicorn.Config) -> None:
        self._path = path
        self._mode = mode
        self._server = _Server(config)
        self._listener: socket.socket | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to accept connections. Raises OSError."""
        self._listener = sockets.listen(self._path, self._mode)
        self._task = asyncio.create_task(self._server.serve(sockets=[self._listener]), name=self._path.name)
        while not self._server.started:
            if self._task.done():
                self._task.result()
            await asyncio.sleep(START_TICK_S)

    def stop(self) -> None:
        """Accept no more, and let every connection begin to end."""
        self._server.should_exit = True

    async def close(self) -> None:
        """Wait until every connection has ended, for STOP_S and GONE_S of `uvicorn_shutdown` at most."""
        self.stop()
        try:
            if self._task is not None:
                await self._task
        finally:
            if self._listener is not None:
                self._listener.close()
