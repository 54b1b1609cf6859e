"""The process of the agent: opens its assemblies and their listeners, and ends them in the opposite order."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import Final

from homeportd.assembly import core as core_assembly
from homeportd.assembly.core import Core
from homeportd.assembly.model import Assembly, Listener
from homeportd.memory import settle
from homeportd.sd_notify import notify, watchdog_s
from homeportd.settings import Settings
from homeportd.system.model import Counts
from homeportd.tasks import TaskSet
from homeportd.web import application

# The systems: a module of `homeportd.assembly`, and whether the settings ask for it. A module is imported when it is
# opened: the rooms of a system that is not there would be memory.
SYSTEMS: Final[dict[str, Callable[[Settings], bool]]] = {
    "edge": lambda settings: settings.edge is not None,
    "workstation": lambda settings: settings.origin is not None,
}

_log = logging.getLogger(__name__)


@asynccontextmanager
async def agent(settings: Settings, *, bcrypt_rounds: int | None = None) -> AsyncIterator[None]:
    """A whole agent, serving until the block ends.

    Raises AlreadyRunning, DatabaseError, and OSError when a socket or folder cannot be made.
    """
    async with AsyncExitStack() as stack:
        core = await stack.enter_async_context(core_assembly.open(settings, bcrypt_rounds=bcrypt_rounds))
        systems = [
            await stack.enter_async_context(_open(name, core))
            for name, wanted in SYSTEMS.items()
            if wanted(settings)
        ]
        # Before the rooms that their work stands on.
        stack.push_async_callback(core.jobs.close)
        own = core_assembly.assembly(core, lambda: sum((each.counts() for each in systems), Counts()))
        assemblies = [own, *systems]
        web = application([router for each in assemblies for router in each.routers])
        listeners = [listener for each in assemblies for listener in each.listeners(web)]
        stack.push_async_callback(_close, listeners)
        for listener in listeners:
            await listener.open()
        stack.callback(core.events.close)  # before the listeners wait for their clients
        tasks = await stack.enter_async_context(TaskSet())
        for each in assemblies:
            for sweep in each.sweeps:
                tasks.repeat(sweep.period_s, sweep.action, sweep.name)
        settle()
        yield


def _open(name: str, core: Core) -> AbstractAsyncContextManager[Assembly]:
    opened: AbstractAsyncContextManager[Assembly] = import_module(f"homeportd.assembly.{name}").open(core)
    return opened


async def _close(listeners: Sequence[Listener]) -> None:
    """End all listeners at once: each may need its whole time."""
    for listener in listeners:
        listener.stop()
    for result in await asyncio.gather(*(each.close() for each in listeners), return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


async def serve(settings: Settings) -> None:
    """Run an agent until SIGTERM or SIGINT; raises what `agent` raises."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with agent(settings), TaskSet() as tasks:
        notify("READY=1")
        if period_s := watchdog_s():
            tasks.repeat(period_s, lambda: notify("WATCHDOG=1"), "watchdog")
        _log.info("serving %s", settings.dashboard)
        await stop.wait()
        notify("STOPPING=1")
        _log.info("stopping")
