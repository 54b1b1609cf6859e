"""The end of uvicorn's connections within a time, whatever their peers do."""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from uvicorn.server import ServerState

STOP_S: Final = 3.0  # for requests under way when the agent stops
GONE_S: Final = 2.0  # for the tasks of connections that were cut
_TICK_S: Final = 0.02


def hang_up(state: ServerState) -> None:
    """Cut every connection. Its task notices and ends; a cancelled task would wait to answer its peer first."""
    for connection in list(state.connections):
        cast("Any", connection).transport.abort()


async def ended(state: ServerState, seconds: float) -> None:
    """Wait `seconds` for connections and tasks to end; then cut connections, and after GONE_S cancel tasks."""
    loop = asyncio.get_running_loop()
    for limit, action in ((seconds, hang_up), (GONE_S, _cancel)):
        until = loop.time() + limit
        while state.connections or state.tasks:
            if loop.time() >= until:
                action(state)
                break
            await asyncio.sleep(_TICK_S)


def _cancel(state: ServerState) -> None:
    for task in list(state.tasks):
        task.cancel()
