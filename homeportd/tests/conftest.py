"""Parts that many tests stand on."""

from __future__ import annotations

import asyncio
import functools
import inspect
import signal
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import hypothesis
import pytest

from homeportd.app import agent
from homeportd.auth.passwords import Passwords
from homeportd.database import Database
from homeportd.edge.traefik import agent_down
from homeportd.jobs.service import Jobs
from homeportd.jobs.store import JobStore
from homeportd.settings import Settings

from .installation import socket_folder

# Run in the background of a shell, we have SIGINT ignored, which every command of a test would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)

# An example may take longer than 200 ms on a machine that has other work.
hypothesis.settings.register_profile(
    "unhurried",
    parent=hypothesis.settings.default,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("unhurried")

QUICK_ROUNDS = 4  # bcrypt's least: tests prove that passwords are checked, not that it is slow
TEST_S = 250.0  # for one test that is not marked slow: what never comes is a failure, not a long wait


def pytest_collection_modifyitems(items):
    """Give each coroutine a limit."""
    for item in items:
        if inspect.iscoroutinefunction(getattr(item, "obj", None)) and not item.get_closest_marker("slow"):
            item.obj = _limited(item.obj)


def _limited(test):
    @functools.wraps(test)
    async def limited(*args, **kwargs):
        async with asyncio.timeout(TEST_S):
            await test(*args, **kwargs)

    return limited


@pytest.fixture
async def database(tmp_path):
    """An empty, migrated database."""
    opened = await Database.open(tmp_path / "homeport.db")
    yield opened
    await opened.close()


@pytest.fixture
async def jobs(database):
    """Background work that is kept in that database."""
    made = Jobs(JobStore(database))
    await made.load()
    yield made
    await made.close()


@pytest.fixture
def passwords():
    """Quick password hashing."""
    made = Passwords(QUICK_ROUNDS)
    yield made
    made.close()


@pytest.fixture
def settings(tmp_path):
    """Settings of an agent that lives in a temporary folder."""
    with socket_folder() as sockets:
        yield Settings(
            origin="http://{port}.localhost:8080",
            port_ranges=("3000-3001", "10000-60999"),
            own_ports=frozenset(),
            repo_root=tmp_path / "repos",
            data_dir=tmp_path / "data",
            socket_dir=sockets,
        )


@pytest.fixture(autouse=True)
def no_traefik_is_waited_for(monkeypatch):
    """An edge of a test ends at once."""
    monkeypatch.setattr(agent_down, "READ_S", 0)


@pytest.fixture
async def running(settings):
    """A whole agent in this event loop; the value is its settings."""
    async with agent(settings, bcrypt_rounds=QUICK_ROUNDS):
        yield settings


@pytest.fixture
async def peer(running):
    """The API as the command line sees it."""
    async with over_socket(running.socket("cli")) as client:
        yield client


@pytest.fixture
async def visitor(running):
    """The API as a browser that has not logged in sees it, behind Caddy."""
    async with over_socket(running.socket("web")) as client:
        yield client


@pytest.fixture
async def browser(running, peer):
    """The API as a browser that has logged in sees it."""
    link = (await peer.post("/api/login-links")).json()["url"]
    async with over_socket(running.socket("web")) as client:
        client.headers["Origin"] = running.origins.dashboard
        assert (await client.get(urlsplit(link).path)).status_code == 303
        yield client


def over_socket(path: Path) -> httpx.AsyncClient:
    """An HTTP client of one of the agent's sockets."""
    transport = httpx.AsyncHTTPTransport(uds=str(path))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost:8080", timeout=30)
