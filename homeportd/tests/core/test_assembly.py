"""The agent is made of systems: each opens, serves, and ends in order, without a list that names them all."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from types import ModuleType

import pytest
from fastapi import APIRouter

from homeportd import app
from homeportd.app import agent
from homeportd.assembly.model import Assembly, Sweep
from homeportd.system.model import Counts

from ..conftest import QUICK_ROUNDS, over_socket


class Lighthouse:
    """A system as a module of `homeportd.assembly` has it; notes what happens to it."""

    def __init__(self):
        self.happened = []
        self.swept = asyncio.Event()
        self.refuse = False  # to open its listener

    @asynccontextmanager
    async def opened(self, core):
        self.happened.append("rooms open")
        routes = APIRouter()

        @routes.get("/api/lighthouse")
        async def lighthouse():
            return {"host": core.settings.dashboard}

        try:
            yield Assembly(
                routers=(routes,),
                sweeps=(Sweep("light", 0.001, self.swept.set),),
                counts=lambda: Counts(shared=2),
                listeners=lambda web: (Listener(self, web),),
            )
        finally:
            self.happened.append("rooms closed")


class Listener:
    """The system's listener."""

    def __init__(self, system, web):
        self.system = system
        self.web = web

    async def open(self):
        if self.system.refuse:
            raise OSError(98, "Address already in use", "lighthouse")
        assert "/api/lighthouse" in self.web.openapi()["paths"]
        self.system.happened.append("listener open")

    def stop(self):
        self.system.happened.append("listener stops")

    async def close(self):
        self.system.happened.append("listener closed")


@pytest.fixture
def lighthouse(monkeypatch):
    """One line more among the systems."""
    system = Lighthouse()
    module = ModuleType("homeportd.assembly.lighthouse")
    module.open = system.opened
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(app.SYSTEMS, "lighthouse", lambda settings: settings.origin is not None)
    return system


async def test_a_new_system_is_one_line(lighthouse, settings):
    async with agent(settings, bcrypt_rounds=QUICK_ROUNDS):
        async with over_socket(settings.socket("web")) as browser:
            assert (await browser.get("/api/lighthouse")).json() == {"host": settings.dashboard}
        async with over_socket(settings.socket("cli")) as peer:
            # With those of the workstation, which shares nothing.
            assert (await peer.get("/api/status")).json()["counts"]["shared"] == 2
        await lighthouse.swept.wait()
    assert lighthouse.happened == [
        "rooms open",
        "listener open",
        "listener stops",
        "listener closed",
        "rooms closed",
    ]


async def test_a_system_that_is_not_asked_for_is_not_opened(lighthouse, settings, monkeypatch):
    monkeypatch.setitem(app.SYSTEMS, "lighthouse", lambda settings: settings.edge is not None)
    async with agent(settings, bcrypt_rounds=QUICK_ROUNDS):
        assert lighthouse.happened == []


async def test_a_listener_that_cannot_open_ends_the_whole_agent(lighthouse, settings):
    lighthouse.refuse = True
    with pytest.raises(OSError, match="in use"):
        async with agent(settings, bcrypt_rounds=QUICK_ROUNDS):
            pass
    assert lighthouse.happened == ["rooms open", "listener stops", "listener closed", "rooms closed"]
    lighthouse.refuse = False
    async with agent(settings, bcrypt_rounds=QUICK_ROUNDS):  # nothing of the first is left in its way
        assert "listener open" in lighthouse.happened
