"""A whole machine: a git repository, a dev server in it, the agent, Caddy; all of them
processes of their own.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from . import caddyfile
from .freeports import free_ports

BESIDE = Path(sys.executable).parent
START = 60.0  # seconds for a program to start


@dataclass
class Machine:
    """`front` is Caddy's port, `dev` that of the dev server, `free` one that nothing listens on."""

    folder: Path
    front: int
    dev: int
    free: int
    config: Path
    programs: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *command: str, folder: Path | None = None) -> None:
        """Start a program."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.programs[name] = subprocess.Popen(
                command, cwd=folder or self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def start_agent(self) -> None:
        """Start the agent and wait until it answers."""
        as_root = ("--allow-root",) if os.getuid() == 0 else ()
        self.start("agent", str(BESIDE / "homeportd"), "serve", "--config", str(self.config), *as_root)
        self._wait("agent", lambda: _connects(socket.AF_UNIX, str(self.folder / "cli.sock")))

    def start_caddy(self) -> None:
        """Start Caddy with the Caddyfile that Ansible would write, and wait until it answers."""
        path = caddyfile.write(self.folder, self.front, self.folder)
        self.start("caddy", str(BESIDE / "caddy"), "run", "--config", str(path), "--adapter", "caddyfile")
        self._wait("caddy", lambda: _connects(socket.AF_INET, ("127.0.0.1", self.front)))

    def start_dev_server(self) -> None:
        """Start a dev server in the repo and wait until it listens."""
        command = (sys.executable, "-m", "http.server", str(self.dev), "--bind", "127.0.0.1")
        self.start("dev", *command, folder=self.folder / "repos" / "manifold" / "frontend")
        self._wait("dev", lambda: _connects(socket.AF_INET, ("127.0.0.1", self.dev)))

    def stop(self, name: str) -> None:
        """End a program."""
        program = self.programs.pop(name)
        program.terminate()
        try:
            program.wait(10)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()

    def visit(self, port: int) -> int:
        """The status that a stranger gets at a port."""
        connection = http.client.HTTPConnection("127.0.0.1", self.front, timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", "/", headers={"Host": f"{port}.localhost:{self.front}"})
            return connection.getresponse().status

    def _wait(self, name: str, ready: object) -> None:
        assert callable(ready)
        end = time.monotonic() + START
        while not ready():
            log = (self.folder / f"{name}.log").read_text()
            assert self.programs[name].poll() is None, log
            assert time.monotonic() < end, log
            time.sleep(0.02)


def _connects(family: socket.AddressFamily, address: object) -> bool:
    with socket.socket(family) as probe:
        try:
            probe.connect(address)  # type: ignore[arg-type]
        except OSError:
            return False
        return True


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """A machine on which everything runs."""
    front, dev, free = free_ports(3)
    (folder / "repos" / "manifold" / "frontend").mkdir(parents=True)
    subprocess.run(["git", "init", "-q", "-b", "main", folder / "repos" / "manifold"], check=True)
    config = folder / "agent.toml"
    config.write_text(
        'user_reason = "setting"\n'
        f'origin = "http://{{port}}.localhost:{front}"\n'
        f'port_ranges = ["{dev}-{free}"]\n'
        f"own_ports = [{front}]\n"
        f'repo_root = "{folder}/repos"\n'
        f'data_dir = "{folder}/data"\n'
        f'socket_dir = "{folder}"\n'
    )
    made = Machine(folder, front, dev, free, config)
    try:
        made.start_dev_server()
        made.start_agent()
        made.start_caddy()
        yield made
    finally:
        for name in list(made.programs):
            made.stop(name)
