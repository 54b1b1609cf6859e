"""Daemons, command lines and files of before December 2026, which had the key `wish` and the request `nudge`."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from homeportd.cli.clients import daemon_client
from homeportd.tunnels import account, daemon
from homeportd.tunnels.account import Account
from homeportd.tunnels.control import ControlServer
from homeportd.tunnels.daemon import Daemon
from homeportd.tunnels.errors import Reason, TunnelError
from homeportd.tunnels.model import TunnelSpec
from homeportd.tunnels.protocol import Kind
from homeportd.tunnels.state import DaemonFiles

from .conftest import until

SPEC = {"kind": "tcp", "target": "localhost:1", "port": 20022}


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Iterator[DaemonFiles]:
    """The daemon's files in a home whose path is short enough for a socket."""
    home = Path(tempfile.mkdtemp(prefix="hp"))
    monkeypatch.setenv("HOME", str(home))
    made = DaemonFiles.of_user()
    made.make()
    yield made
    shutil.rmtree(home)


async def ask(request: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = await asyncio.to_thread(daemon_client.ask, request)
    return answer


async def test_a_file_and_a_command_line_of_then_at_a_daemon_of_now(edge, files: DaemonFiles) -> None:
    account.store(Account(f"http://127.0.0.1:{edge.port}", "hp_good", links=1))
    files.tunnels.write_text(json.dumps({"format": 1, "tunnels": [{"wish": SPEC, "port": 20022}]}))
    serving = asyncio.create_task(Daemon(files).serve())
    await until(files.socket.exists)

    assert await ask({"do": "nudge"}) == {"ok": True}
    added = await ask({"do": "add", "wish": {"kind": "tcp", "target": "2"}})
    assert (added["answered"], added["tunnel"]["target"]) == (True, "localhost:2")
    tunnels = (await ask({"do": "status"}))["tunnels"]
    assert [tunnel["target"] for tunnel in tunnels] == ["localhost:1", "localhost:2"]

    await ask({"do": "stop"})
    await serving
    stored = json.loads(files.tunnels.read_text())["tunnels"]
    assert [set(item) & {"spec", "wish"} for item in stored] == [{"spec"}, {"spec"}]


async def test_the_tunnel_of_a_shared_port_of_then_leads_to_the_socket_for_visitors(
    files: DaemonFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = files.folder / "agent.toml"
    settings.write_text('origin = "http://{port}.localhost:8080"\nsocket_dir = "/run/homeport"\n')
    monkeypatch.setenv("HOMEPORT_CONFIG", str(settings))
    shared = {"kind": "http", "host": "4800.localhost:8080", "label": "share 4800", "source": "127.77.0.1"}
    specs = [{**shared, "target": "127.0.0.1:8080"}, {**SPEC, "label": "another"}]
    files.tunnels.write_text(
        json.dumps({"format": 1, "tunnels": [{"spec": spec, "name": "shop"} for spec in specs]})
    )
    account.store(Account("http://127.0.0.1:1", "hp_good", links=1))
    monkeypatch.setattr(daemon, "FOLLOW_S", 0.05)
    serving = asyncio.create_task(Daemon(files).serve())
    await until(files.socket.exists)

    tunnels = (await ask({"do": "status"}))["tunnels"]
    assert tunnels[0]["host"] == "4800.localhost:8080"
    assert [(each["target"], each["name"]) for each in tunnels] == [
        ("unix:/run/homeport/visitors/visitors.sock", "shop"),
        ("localhost:1", "shop"),
    ]
    # The origin changes, and the tunnel with it; its name stays.
    settings.write_text(settings.read_text().replace("{port}.localhost:8080", "{port}-dev.example.com"))
    changed = {("4800-dev.example.com", "shop"), (None, "shop")}
    async with asyncio.timeout(60):
        while changed != {(each["host"], each["name"]) for each in (await ask({"do": "status"}))["tunnels"]}:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await ask({"do": "stop"})
    await serving


async def test_a_command_line_of_now_at_a_daemon_of_then(files: DaemonFiles) -> None:
    async def answer(request: dict[str, Any]) -> dict[str, Any]:
        match request["do"]:
            case "add":
                spec = TunnelSpec.model_validate(request["wish"])
                return {"tunnel": {"state": "live", "target": spec.target}, "answered": True, "problem": None}
            case "nudge":
                return {"ok": True}
        raise TunnelError(Reason.REQUEST, "no such request", "use homeport of this release")

    server = ControlServer(files, answer)
    await server.start()
    added = await asyncio.to_thread(
        daemon_client.add_tunnel, TunnelSpec(kind=Kind.TCP, target="localhost:1", port=20022)
    )
    assert added["target"] == "localhost:1"
    assert await asyncio.to_thread(daemon_client.retry)
    await server.close()
