"""Running the installed `homeport` as a person or a script does."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

HOMEPORT = Path(sys.executable).with_name("homeport")
TIMEOUT = 20.0  # seconds for any one command


class Terminal:
    """A command on a terminal of its own: what it prints is read, what a person types is written."""

    def __init__(self, arguments: tuple[str, ...], environment: dict[str, str], columns: int) -> None:
        self._ours, theirs = os.openpty()
        os.set_blocking(self._ours, False)
        self.text = ""
        # A session leader that opens a terminal gets it as its controlling one, which getpass needs.
        script = 'exec <"$TTY" >"$TTY" 2>&1; stty cols "$COLS"; exec "$@"'
        self.process = subprocess.Popen(
            ["sh", "-c", script, "sh", str(HOMEPORT), *arguments],
            env=environment | {"TTY": os.ttyname(theirs), "COLS": str(columns)},
            start_new_session=True,
        )
        time.sleep(0.2)  # until the child holds the terminal open itself
        os.close(theirs)

    def wait_for(self, text: str) -> None:
        """Read until `text` is there."""
        end = time.monotonic() + TIMEOUT
        while text not in self.text:
            assert time.monotonic() < end, f"{text!r} did not come, but {self.text!r}"
            self._read()

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._ours, text.encode())

    def finish(self) -> int:
        """Read to the end; returns the exit code."""
        while self._read():
            pass
        return self.process.wait(TIMEOUT)

    def close(self) -> None:
        """End what is left."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)

    def _read(self) -> bool:
        assert select.select([self._ours], [], [], TIMEOUT)[0], f"silence after {self.text!r}"
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # Linux: the last holder of the terminal has gone
            return False
        self.text += data.decode().replace("\r\n", "\n")
        return bool(data)


class Homeport:
    """The command line of one installation."""

    def __init__(self, config: Path) -> None:
        self.environment = {
            key: value
            for key, value in os.environ.items()
            if key not in ("NO_COLOR", "COLUMNS", "LINES", "PYTHONUNBUFFERED")
            and not key.startswith("_HOMEPORT")
        } | {"HOMEPORT_CONFIG": str(config), "TERM": "xterm-256color", "TZ": "UTC"}
        self._terminals: list[Terminal] = []

    def __call__(
        self, *arguments: str, input: str | bytes = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command with pipes for standard streams."""
        text = input if isinstance(input, bytes) else input.encode()
        done = subprocess.run(
            [HOMEPORT, *arguments],
            input=text,
            capture_output=True,
            env=self.environment | environment,
            timeout=TIMEOUT,
            check=False,
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command and leave it running."""
        return subprocess.Popen(
            [HOMEPORT, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment,
            text=True,
        )

    def on_terminal(self, *arguments: str, columns: int = 80, **environment: str) -> Terminal:
        """Run a command on a terminal."""
        terminal = Terminal(arguments, self.environment | environment, columns)
        self._terminals.append(terminal)
        return terminal

    def close(self) -> None:
        """End every terminal."""
        for terminal in self._terminals:
            terminal.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder whose path is short enough for a unix socket (107 bytes), and open to other users."""
    with tempfile.TemporaryDirectory(prefix="hp") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


@pytest.fixture
def homeport(folder: Path) -> Iterator[Homeport]:
    """The command line of an installation in `folder`, whose agent does not run."""
    config = folder / "agent.toml"
    config.write_text(f'socket_dir = "{folder}"\n')
    made = Homeport(config)
    yield made
    made.close()
