"""Servers that nobody uses stop, and start for whom their share lets in: real Caddy, real visitors."""

from __future__ import annotations

import asyncio
import socket
import subprocess

import pytest

from homeportd.processes.folder import MARK, folders
from homeportd.processes.model import ProcessState
from homeportd.processes.orphans import end_orphans, send_to
from homeportd.servers import idle
from homeportd.servers.connections import connections

from ..gateway.conftest import open_gateway
from .conftest import RUN, SERVER, Api


@pytest.fixture
async def machine(tmp_path, monkeypatch):
    """A machine with the repo `shop`, and its API: (gateway, api)."""
    monkeypatch.setattr(idle, "LOOK_S", 0.1)
    repo = tmp_path / "repos/shop"
    repo.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", str(repo)], check=True)
    (repo / "serve.py").write_text(SERVER)
    (repo / "Procfile").write_text(f"web: {RUN}\n")
    try:
        async with open_gateway(tmp_path) as gateway:
            yield gateway, Api(gateway.owner, tmp_path / "repos")
    finally:
        for folder in folders(tmp_path / "data/processes"):
            process = folder.process()
            if process is not None and process.state is not ProcessState.EXITED:
                send_to(process.runner, 9)
                end_orphans(MARK, folder.mark(process.run))


PAGE = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}


async def test_an_unused_server_stops_and_starts_for_those_who_are_let_in(machine):
    gateway, api = machine
    await api.repo()
    listening = await api.until(await api.start(), "listening")
    port = listening["port"]
    share = await gateway.share(port, "password", password="open sesame")
    assert share["bound_to"]["repo"] == str(api.root / "shop")
    cookie = {"Cookie": await gateway.share_cookie(port)}
    assert (await gateway.get(port, headers=cookie)).text == "hello"
    await gateway.owner.put(f"/api/servers/{listening['id']}", json={"idle_stop_s": 1})
    stopped = await api.until(listening, "idle-stopped")
    assert (stopped["port"], stopped["was_running"], stopped["detail"]) == (port, False, None)
    # Strangers start nothing.
    for _ in range(3):
        assert (await gateway.get(port, headers=PAGE)).status_code == 401
    assert (await api.get(listening))["state"] == "idle-stopped"
    page = await gateway.get(port, headers=PAGE | cookie)
    assert (page.status_code, page.headers["retry-after"]) == (503, "2")
    assert "The server is starting" in page.text
    assert 'http-equiv="refresh"' in page.text
    async with asyncio.timeout(60):
        while (await gateway.get(port, headers=cookie)).status_code != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert (await api.get(listening))["port"] == port


async def test_what_a_person_stopped_stays_stopped(machine):
    gateway, api = machine
    await api.repo()
    listening = await api.until(await api.start(), "listening")
    await gateway.share(listening["port"])
    await api.post("stop")
    assert (await gateway.get(listening["port"], headers=PAGE)).status_code == 502
    assert (await api.get(listening))["state"] == "stopped"


async def test_another_program_that_takes_the_number_does_not_get_the_visitors(machine):
    gateway, api = machine
    await api.repo()
    listening = await api.until(await api.start(), "listening")
    await gateway.share(listening["port"])
    assert (await gateway.get(listening["port"])).status_code == 200
    await api.post("stop")
    other = subprocess.Popen(
        [*RUN.split(), str(listening["port"])], cwd=api.root / "shop", stdout=subprocess.PIPE
    )
    try:
        assert other.stdout.readline()
        assert (await gateway.get(listening["port"])).status_code == 503  # paused
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
    await api.until(await api.start(), "listening")
    async with asyncio.timeout(60):
        while (await gateway.get(listening["port"])).status_code != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_an_open_connection_keeps_a_server(machine):
    gateway, api = machine
    await api.repo()
    listening = await api.until(await api.start(), "listening")
    with socket.create_connection(("127.0.0.1", listening["port"])):
        await gateway.owner.put(f"/api/servers/{listening['id']}", json={"idle_stop_s": 1})
        await asyncio.sleep(2)  # twice its time
        assert (await api.get(listening))["state"] == "listening"
    await api.until(listening, "idle-stopped")


def test_connections_are_seen_while_open_and_after():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert connections(frozenset([port])) == {port: (False, frozenset())}
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        assert connections(frozenset([port]))[port][0] is True
        client.close()
        accepted.close()
        is_open, ended = connections(frozenset([port]))[port]
        assert (is_open, len(ended)) == (False, 1)
