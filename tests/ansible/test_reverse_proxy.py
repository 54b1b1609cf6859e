"""A reverse proxy that does not come up goes back to what it answered with; a real supervisord and a real server."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from .conftest import plugin

BIN = Path(sys.executable).parent
SECONDS = 20
START_S = 60

# Listens where its settings say; with other words there it ends at once.
SERVER = """
import http.server, sys
http.server.HTTPServer(("127.0.0.1", int(open(sys.argv[1]).read())), http.server.BaseHTTPRequestHandler).serve_forever()
"""
SUPERVISORD = """
[supervisord]
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
nodaemon=true
[unix_http_server]
file={folder}/sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{folder}/sock
[include]
files={folder}/programs/*.conf
"""
PROGRAM = """
[program:{name}]
command={command}
environment=HOMEPORT_FINGERPRINT="{fingerprint}"
startsecs=0
startretries=1000
redirect_stderr=true
stdout_logfile={folder}/{name}.log
"""


@pytest.fixture(scope="module")
def proxy() -> ModuleType:
    return plugin("modules.reverse_proxy")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass
class Machine:
    """A supervisord with one reverse proxy and an agent, and the arguments of the module."""

    folder: Path
    given: dict[str, Any]
    manager: Any

    def write(self, settings: str, fingerprint: str) -> None:
        """New settings, and the process that shall run with them."""
        (self.folder / "settings").write_text(settings)
        self.program(
            "homeport-caddy", f"{sys.executable} {self.folder}/server.py {self.folder}/settings", fingerprint
        )
        self.manager.start(["homeport-caddy"])
        self.given["fingerprint"] = fingerprint

    def program(self, name: str, command: str, fingerprint: str) -> None:
        text = PROGRAM.format(folder=self.folder, name=name, command=command, fingerprint=fingerprint)
        (self.folder / f"programs/{name}.conf").write_text(text)


@pytest.fixture
def machine(proxy: ModuleType, tmp_path: Path) -> Iterator[Machine]:
    (tmp_path / "server.py").write_text(SERVER)
    (tmp_path / "programs").mkdir()
    (tmp_path / "supervisord.conf").write_text(SUPERVISORD.format(folder=tmp_path))
    (tmp_path / "agent.toml").write_text("old")
    control = [str(BIN / "supervisorctl"), f"--configuration={tmp_path}/supervisord.conf"]
    files = [str(tmp_path / "settings"), str(tmp_path / "programs/homeport-caddy.conf")]
    given = {
        "name": "homeport-caddy",
        "folder": str(tmp_path / "last-known-good"),
        "services": {"homeport-caddy": {"files": files, "addresses": []}},
        "agent_settings": str(tmp_path / "agent.toml"),
        "agent": "/bin/true",
        "supervisorctl": control,
        "seconds": SECONDS,
    }
    with subprocess.Popen(
        [BIN / "supervisord", f"--configuration={tmp_path}/supervisord.conf"], stdout=subprocess.DEVNULL
    ) as process:
        try:
            manager = proxy.Manager(control, str(tmp_path))
            made = Machine(tmp_path, given, manager)
            made.program(proxy.AGENT, "/bin/sleep 600", "agent")
            for _ in range(START_S * 10):
                if proxy.run([*control, "pid"]).returncode == 0:
                    break
            yield made
        finally:
            process.terminate()
            process.wait(START_S)


def test_it_goes_back_to_what_it_answered_with(proxy: ModuleType, machine: Machine) -> None:
    port, given = free_port(), machine.given
    address = f"http://127.0.0.1:{port}"
    given["services"]["homeport-caddy"]["addresses"] = [address]
    machine.write(str(port), "one")
    assert proxy.wait(machine.manager, "homeport-caddy", "one", proxy.asked_at([address]), SECONDS) == ""
    assert proxy.go_back(given, machine.manager) == (False, "There are no older settings to go back to.")
    proxy.keep(Path(given["folder"]), given["services"], Path(given["agent_settings"]))

    # Settings that it cannot start with; the agent was given new ones as well.
    agent = machine.manager.state(proxy.AGENT).pid
    machine.write("nonsense", "two")
    (machine.folder / "agent.toml").write_text("new")
    problem = proxy.wait(machine.manager, "homeport-caddy", "two", proxy.asked_at(["http://127.0.0.1:9"]), 2)
    assert problem
    assert "invalid literal" in proxy.described(machine.manager, "homeport-caddy", problem)
    back, words = proxy.go_back(given, machine.manager)
    assert (back, words) == (True, f"The old settings are back, and it answers with them at {address}.")
    assert (machine.folder / "settings").read_text() == str(port)
    assert (machine.folder / "agent.toml").read_text() == "old"
    assert machine.manager.state(proxy.AGENT).pid != agent

    # Nothing differs: nothing is restarted.
    before = machine.manager.state("homeport-caddy").pid
    assert proxy.go_back(given, machine.manager)[0]
    assert machine.manager.state("homeport-caddy").pid == before


def test_the_agent_keeps_settings_that_its_release_needs(proxy: ModuleType, machine: Machine) -> None:
    port, given = free_port(), {**machine.given, "agent": "/bin/false"}
    given["services"]["homeport-caddy"]["addresses"] = [f"http://127.0.0.1:{port}"]
    machine.write(str(port), "one")
    proxy.keep(Path(given["folder"]), given["services"], Path(given["agent_settings"]))
    (machine.folder / "agent.toml").write_text("new")
    assert proxy.go_back(given, machine.manager)[0]
    assert (machine.folder / "agent.toml").read_text() == "new"


def test_only_an_answer_of_the_new_process_counts(proxy: ModuleType, machine: Machine) -> None:
    port = free_port()
    machine.write(str(port), "old")
    addresses = [f"http://127.0.0.1:{port}"]
    assert proxy.wait(machine.manager, "homeport-caddy", "old", proxy.asked_at(addresses), SECONDS) == ""
    assert "not ready" in proxy.wait(machine.manager, "homeport-caddy", "new", proxy.asked_at(addresses), 1)


def test_a_port_that_takes_connections_and_says_nothing_is_no_answer(proxy: ModuleType) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not proxy.answers(f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert not proxy.answers(f"https://127.0.0.1:{free_port()}")
    assert not proxy.answers("http://nonsense")


def test_files_come_back_as_they_were(proxy: ModuleType, tmp_path: Path) -> None:
    secret, new = tmp_path / "secret.env", tmp_path / "new.conf"
    secret.write_text("key")
    secret.chmod(0o600)
    kept = tmp_path / "last-known-good"
    services = {"x": {"files": [str(secret), str(new)], "addresses": []}}
    proxy.keep(kept, services, tmp_path / "agent.toml")
    assert (kept / "secret.env").stat().st_mode & 0o777 == 0o600
    secret.write_text("another")
    new.touch()
    assert proxy.put_back(kept, [secret, new])
    assert (secret.read_text(), secret.stat().st_mode & 0o777, new.exists()) == ("key", 0o600, False)
    assert not proxy.put_back(kept, [secret, new])
    # Kept anew: what was kept before is gone, and so is what was on the way.
    proxy.keep(kept, services, tmp_path / "agent.toml")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last-known-good", "secret.env"]
