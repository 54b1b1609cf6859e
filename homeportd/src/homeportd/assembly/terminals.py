"""The terminals of a workstation."""

from __future__ import annotations

from contextlib import AsyncExitStack

from homeportd.assembly.core import Core
from homeportd.assembly.model import Assembly, Sweep
from homeportd.processes.service import Processes
from homeportd.repos.service import Repos
from homeportd.terminal import api
from homeportd.terminal.preferences import SECTION, TerminalPreferences
from homeportd.terminal.service import SWEEP_S, Terminals


async def open_terminals(core: Core, repos: Repos, processes: Processes, stack: AsyncExitStack) -> Assembly:
    """Take up the terminals that are open; they stay open when `stack` ends."""
    core.preferences.declare(SECTION, TerminalPreferences)
    terminals = Terminals(processes, core.preferences)
    await terminals.start()
    stack.push_async_callback(terminals.close)
    return Assembly(
        routers=(api.router(terminals, processes, repos, core.auth, core.guard),),
        sweeps=(Sweep("terminals that nobody sees", SWEEP_S, terminals.sweep),),
    )
