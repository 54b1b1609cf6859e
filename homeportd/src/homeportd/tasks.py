"""Background tasks with an owner: named, logged when they fail, ended with what owns them."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, TypeVar

T = TypeVar("T")
Action = Callable[[], Coroutine[Any, Any, object] | None]

_log = logging.getLogger(__name__)


class TaskSet:
    """The tasks of one owner. As an async context manager: closed at the end of the block."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        """Number of tasks that have not ended."""
        return len(self._tasks)

    def spawn(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Run `work` beside the caller. What it raises is logged with `name`, and is in the task."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def repeat(self, period_s: float, action: Action, name: str) -> asyncio.Task[None]:
        """Call `action`, a function or coroutine function, for the first time in `period_s`, then every `period_s`.

        An action that raises is called again; of failures in a row the first is logged.
        """
        return self.spawn(_repeat(period_s, action, name), name)

    def cancel(self) -> None:
        """Ask all tasks to end, and do not wait."""
        for task in self._tasks:
            task.cancel()

    async def finish(self) -> None:
        """Wait until the tasks have ended by themselves, those too that they spawn."""
        while others := self._others():
            await asyncio.wait(others)

    async def close(self, timeout_s: float | None = None) -> None:
        """Cancel all tasks and wait for their end, for `timeout_s` at most: one may hang in a thread."""
        while others := self._others():
            for task in others:
                task.cancel()
            _, left = await asyncio.wait(others, timeout=timeout_s)
            if left:
                return

    async def __aenter__(self) -> TaskSet:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _others(self) -> set[asyncio.Task[Any]]:
        """All tasks but the one that asks, which may be of this set."""
        return self._tasks - {asyncio.current_task()}

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("the task “%s” failed", task.get_name(), exc_info=error)


async def _repeat(period_s: float, action: Action, name: str) -> None:
    failing = False
    while True:
        await asyncio.sleep(period_s)
        try:
            result = action()
            if inspect.isawaitable(result):
                await result
        except Exception:
            # Without a free descriptor, say: the log is not to fill up as well.
            if not failing:
                _log.exception("the task “%s” failed, and is tried again every %g s", name, period_s)
            failing = True
        else:
            failing = False
