"""A workstation as processes of a test: given repositories and dev servers, and empty again after each test."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from ..installation import Installation, listens, stop, wait_for

HOMEPORTD = Path(__file__).parents[2]
SPAN = 400  # ports that one agent watches, so that it does not see those of other tests


@dataclass
class Workstation(Installation):
    """An agent behind Caddy, with what runs on its ports. A test has those from `first` on."""

    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    ui = HOMEPORTD / "ui"

    def stop_agent(self) -> None:
        """End the agent as a crash would."""
        self.stop("agent", signal.SIGKILL)

    def end(self) -> None:
        """End all programs."""
        self.stop_servers()
        super().end()

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
        wait_for(lambda: listens(number), f"port {number} listens")
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
        """End what the test has started."""
        while self.processes:
            stop(self.processes.pop())

    def reset(self) -> None:
        """Nothing runs, nothing is shared; that the repos are gone is noticed soon."""
        self.stop_servers()
        for path in (self.folder / "repos").iterdir():
            shutil.rmtree(path)
        wait_for(self._is_empty, "the list is empty")

    def _is_empty(self) -> bool:
        """Whether no port is listed. Each look removes shares: a page's last request may come after the first."""
        ports = self.call("GET", "/api/ports")
        for port in ports:
            if port["share"]["mode"] != "private":
                self.call("DELETE", f"/api/ports/{port['port']}/share")
        return not ports

    @staticmethod
    def overflow(page: Page) -> int:
        """Pixels by which the page is wider than the screen."""
        width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return int(width)
