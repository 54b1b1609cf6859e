"""Servers across the ends of the agent and of the machine: what ran is back, and nothing else."""

from __future__ import annotations

import pytest

from homeportd.app import agent
from homeportd.processes.folder import MARK, folders
from homeportd.processes.orphans import end_orphans, send_to
from homeportd.servers import service

from ..conftest import over_socket
from .conftest import Api


@pytest.fixture
def run_agent(settings, make_repo):
    """Run an agent on the test's folder: `async with run_agent() as api`."""

    class Run:
        async def __aenter__(self):
            self.agent = agent(settings, bcrypt_rounds=4)
            await self.agent.__aenter__()
            self.client = over_socket(settings.socket("cli"))
            return Api(self.client, settings.repo_root)

        async def __aexit__(self, *error):
            await self.client.aclose()
            await self.agent.__aexit__(*error)

    return Run


def switch_off(settings):
    """End every process at once, as the end of the machine does: nobody notes how."""
    for folder in folders(settings.data_dir / "processes"):
        process = folder.process()
        send_to(process.runner, 9)
        end_orphans(MARK, folder.mark(process.run))


async def test_an_agent_that_restarts_finds_its_servers_running(make_repo, run_agent, ask):
    make_repo()
    async with run_agent() as api:
        await api.repo()
        before = await api.until(await api.start(), "listening")
        share = f"/api/ports/{before['port']}/share"
        assert (await api.peer.post(share, json={"mode": "public"})).status_code == 200
    assert await ask(before["port"]) == "hello"
    async with run_agent() as api:
        assert (await api.peer.get(share)).json()[
            "paused"
        ] is None  # it is known for what it is from the first look
        after = await api.until(before, "listening")
        assert (after["port"], after["started_at"]) == (before["port"], before["started_at"])
        assert (await api.post("stop"))[0]["state"] == "stopped"
    async with run_agent() as api:
        assert (await api.get(before))["state"] == "stopped"


async def test_after_a_reboot_what_ran_is_back_with_its_number(make_repo, run_agent, settings, monkeypatch):
    for name in ("ran", "stopped", "auto"):
        make_repo(name)
    async with run_agent() as api:
        servers = {}
        for name in ("ran", "stopped", "auto"):
            await api.repo(name)
            servers[name] = await api.until(await api.start(repo=name), "listening")
        for name in ("stopped", "auto"):
            await api.post("stop", repo=name)
        await api.peer.put(f"/api/servers/{servers['auto']['id']}", json={"auto_start": True})
    switch_off(settings)
    monkeypatch.setattr(service, "boot_id", lambda: "another")
    async with run_agent() as api:
        for name in ("ran", "auto"):
            found = await api.until(servers[name], "listening")
            assert found["port"] == servers[name]["port"]
        assert (await api.get(servers["stopped"]))["state"] == "stopped"
        await api.post("stop", repo="auto")
    async with run_agent() as api:  # no boot: what a person stopped stays so
        assert (await api.get(servers["auto"]))["state"] == "stopped"
        assert (await api.until(servers["ran"], "listening"))["state"] == "listening"


async def test_an_end_that_no_agent_saw_is_told(make_repo, run_agent, settings):
    repo = make_repo("shop", {"Procfile": "web: while ! test -e end; do sleep 0.1; done; exit 5\n"})
    async with run_agent() as api:
        await api.repo()
        started = await api.start()
        await api.until(started, lambda _: bool(list(settings.data_dir.glob("processes/*/state*"))))
    (repo / "end").touch()
    async with run_agent() as api:
        failed = await api.until(started, "failed")
        assert failed["exit_code"] == 5
