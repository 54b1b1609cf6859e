"""The caller whose request the current task serves, for those that note who did something."""

from __future__ import annotations

import asyncio
import weakref
from contextvars import ContextVar
from typing import Any

from homeportd.auth.model import Caller

_current: ContextVar[tuple[Caller, weakref.ref[asyncio.Task[Any]]] | None] = ContextVar(
    "caller", default=None
)


def enter(caller: Caller) -> Caller:
    """Note the caller for the rest of this task's request."""
    task = asyncio.current_task()
    if task is not None:
        _current.set((caller, weakref.ref(task)))
    return caller


def current_caller() -> Caller | None:
    """The caller; None in a task that serves no request, one that a request has started too."""
    found = _current.get()
    return found[0] if found is not None and found[1]() is asyncio.current_task() else None
