"""An installation for tests: the agent, Caddy and what stands behind them, as processes with folders of their own."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from . import caddyfile
from .freeports import free_ports

BESIDE = Path(sys.executable).parent
AGENT = Path(__file__).with_name("quick_agent.py")
START_S = 60.0  # for what comes at once, but on a machine that has other work
STOP_S = 30.0


def wait_for(condition: Callable[[], Any], what: str = "", seconds: float = START_S) -> Any:
    """The value of `condition` once it is true; the test fails with `what` after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    pytest.fail(f"not within {seconds:g} s: {what}")


def program(name: str) -> str:
    """The path of a program beside this Python, as wheels bring them, else on the PATH."""
    return shutil.which(name, path=f"{BESIDE}{os.pathsep}{os.environ['PATH']}") or name


def listens(port: int) -> bool:
    """Whether something takes connections on a port of 127.0.0.1."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
        return True
    return False


def stop(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGTERM) -> None:
    """End a process and wait for it."""
    process.send_signal(number)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=START_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        try:
            self.sock.connect(str(self._path))
        except OSError:
            self.sock.close()
            raise


@dataclass
class Installation:
    """Folders below `folder`, programs by name. `front` is Caddy's port; the agent looks at `first` to `last`."""

    folder: Path
    sockets: Path
    front: int
    first: int
    last: int
    programs: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        """The agent's settings."""
        return self.folder / "agent.toml"

    @property
    def url(self) -> str:
        """The dashboard's origin."""
        return f"http://localhost:{self.front}"

    def port_url(self, number: int) -> str:
        """The origin of a port."""
        return f"http://{number}.localhost:{self.front}"

    def configure(self, **more: object) -> None:
        """Make the folders and write the agent's settings, `more` among them."""
        (self.folder / "repos").mkdir(parents=True, exist_ok=True)
        settings = {
            "origin": f"http://{{port}}.localhost:{self.front}",
            "port_ranges": [f"{self.first}-{self.last}"],
            "own_ports": [self.front],
            "repo_root": f"{self.folder}/repos",
            "data_dir": f"{self.folder}/data",
            "socket_dir": str(self.sockets),
            **more,
        }
        self.config.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))

    def add_settings(self, table: str, **settings: object) -> None:
        """Write a table of settings more."""
        lines = [f"[{table}]", *(f"{name} = {json.dumps(value)}" for name, value in settings.items())]
        with self.config.open("a") as file:
            file.write("\n".join(lines) + "\n")

    def start(self, name: str, *command: str, folder: Path | None = None, **options: Any) -> None:
        """Start a program, whose output goes to NAME.log."""
        with self.log(name).open("ab") as log:
            self.programs[name] = subprocess.Popen(
                command,
                cwd=folder or self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **options,
            )

    def log(self, name: str) -> Path:
        """What a program has said."""
        return self.folder / f"{name}.log"

    def wait(self, name: str, ready: Callable[[], Any]) -> None:
        """Wait until a program is ready; fail with its output if it ends instead."""

        def check() -> Any:
            assert self.programs[name].poll() is None, self.log(name).read_text()
            return ready()

        wait_for(check, name)

    def start_agent(self) -> None:
        """Start the agent and wait until it answers."""
        as_root = ("--allow-root",) if os.getuid() == 0 else ()
        agent = (sys.executable, str(AGENT), "serve", "--config", str(self.config), *as_root)
        home = self.folder / "home"  # it writes git's config and an SSH key there
        home.mkdir(exist_ok=True)
        self.start("agent", *agent, env={**os.environ, "HOME": str(home)})
        self.wait("agent", self.answers)

    def answers(self) -> bool:
        """Whether the agent does."""
        with suppress(OSError, http.client.HTTPException):
            return bool(self.call("GET", "/api/health"))
        return False

    def start_caddy(self, environment: Mapping[str, str] | None = None, **caddyfile_options: Any) -> None:
        """Start Caddy with the Caddyfile that Ansible would write, and wait until it takes connections."""
        path = caddyfile.write(self.folder, self.front, self.sockets, **caddyfile_options)
        command = (program("caddy"), "run", "--config", str(path), "--adapter", "caddyfile")
        self.start("caddy", *command, env=environment)
        self.wait("caddy", lambda: listens(self.front))

    def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """End a program."""
        stop(self.programs.pop(name), number)

    def end(self) -> None:
        """End all programs, the last one first."""
        for name in reversed(list(self.programs)):
            self.stop(name)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The agent's answer to its owner; no status of an error."""
        with closing(UnixConnection(self.sockets / "cli.sock")) as connection:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status < 400, f"{method} {path}: {answer.status} {text!r}"
            return json.loads(text) if text else None

    def login_link(self) -> str:
        """An address that logs a browser in, once."""
        return str(self.call("POST", "/api/login-links")["url"])


@contextmanager
def running(made: Installation) -> Iterator[None]:
    """The agent and Caddy for a while; all programs end with the block."""
    try:
        made.start_agent()
        made.start_caddy()
        yield
    finally:
        made.end()


@contextmanager
def socket_folder() -> Iterator[Path]:
    """A folder for sockets: a path of 107 bytes at most, which pytest's own folders may exceed."""
    with tempfile.TemporaryDirectory(prefix="hp") as name:
        yield Path(name)


@dataclass
class Machine(Installation):
    """An installation with a dev server on the port `dev` in a git repository; nothing listens on `free`."""

    @property
    def dev(self) -> int:
        """The dev server's port."""
        return self.first

    @property
    def free(self) -> int:
        """A port that nothing listens on."""
        return self.last

    def visit(self, port: int) -> int:
        """The status that a stranger gets at a port."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.front, timeout=START_S)) as connection:
            connection.request("GET", "/", headers={"Host": f"{port}.localhost:{self.front}"})
            return connection.getresponse().status

    def start_dev_server(self) -> None:
        """Start the dev server and wait until it listens."""
        folder = self.folder / "repos/manifold/frontend"
        folder.mkdir(parents=True)
        subprocess.run(["git", "init", "-q", "-b", "main", folder.parent], check=True)
        command = (sys.executable, "-m", "http.server", str(self.dev), "--bind", "127.0.0.1")
        self.start("dev", *command, folder=folder)
        self.wait("dev", lambda: listens(self.dev))


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """A machine on which everything runs; `folder` has a short path, for it has the sockets as well."""
    front, dev, free = free_ports(3)
    made = Machine(folder, folder, front, dev, free)
    made.configure(user_reason="setting")
    try:
        made.start_dev_server()
        with running(made):
            yield made
    finally:
        made.end()
