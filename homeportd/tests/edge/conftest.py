"""A whole agent that is an edge, on free ports of this machine."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from pathlib import Path

import pytest
import uvloop

from homeportd.app import agent
from homeportd.settings import EdgeSettings

# The suite imports its modules by path (importlib mode), so that a neighbour is loaded by hand.
_PATH = Path(__file__).with_name("helper.py")
_spec = importlib.util.spec_from_file_location("edge_helper", _PATH)
helper = importlib.util.module_from_spec(_spec)
sys.modules["edge_helper"] = helper
_spec.loader.exec_module(helper)


def pytest_asyncio_loop_factories(config, item):
    """The agent runs on uvloop."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
def edge_settings(tmp_path):
    """An edge on loopback; several addresses are visitors' own."""
    listen = helper.free_port()
    return EdgeSettings(
        url="http://{name}.tunnel.localhost:8081",
        host="localhost",
        bind=("127.0.0.1", "::1"),
        tcp_ports="42000-42999",
        udp_ports="42000-42999",
        listen=f"127.0.0.1:{listen}",
        routes_dir=tmp_path / "routes",
        access_log=tmp_path / "access.json",
    )


@pytest.fixture
def settings(settings, edge_settings):
    """Of an agent that is an edge."""
    return settings.model_copy(update={"edge": edge_settings})


@pytest.fixture
def port(edge_settings):
    """Where clients connect."""
    return int(edge_settings.listen.rpartition(":")[2])


@pytest.fixture
async def token(peer):
    """A token for tunnels: its id and secret."""
    return await make_token(peer, "laptop")


async def make_token(peer, name, scope="tunnel"):
    """Another."""
    made = (await peer.post("/api/tokens", json={"name": name, "scope": scope})).json()
    return made


@pytest.fixture
async def connect(port, token):
    """Make links; they are closed after the test."""
    made = []

    async def make(handler=helper.refuse, secret=None, **options):
        link = await helper.link(port, secret or token["token"], handler, **options)
        made.append(link)
        return link

    yield make
    for link in made:
        await link.close()


@pytest.fixture(autouse=True)
def no_complaints(caplog):
    """Asyncio says through its logger what nobody handled."""
    yield
    for when in ("setup", "call"):
        records = caplog.get_records(when)
        complaints = [r.getMessage() for r in records if r.name in ("asyncio", "homeportd.edge.link")]
        assert not [text for text in complaints if not text.startswith(("Using selector", "Executing <"))]


__all__ = ["agent", "asyncio"]
