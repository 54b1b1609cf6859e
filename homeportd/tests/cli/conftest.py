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
TIMEOUT = 60.0  # seconds for any one command, on a machine that has other work
TABS = 10


class Terminal:
    """A command on a terminal of its own: what it prints is read, what a person types is written."""

    def __init__(self, arguments: tuple[str, ...], environment: dict[str, str], columns: int) -> None:
        # Held open by us as well: without anybody at the other side, as before the command has begun, its end would
        # be read.
        self._ours, self._theirs = os.openpty()
        os.set_blocking(self._ours, False)
        self._bytes = b""
        self.text = ""
        # A session leader that opens a terminal gets it as its controlling one, which getpass needs.
        script = 'exec <"$TTY" >"$TTY" 2>&1; stty cols "$COLS"; exec "$@"'
        self.process = subprocess.Popen(
            ["sh", "-c", script, "sh", str(HOMEPORT), *arguments],
            env=environment | {"TTY": os.ttyname(self._theirs), "COLS": str(columns)},
            start_new_session=True,
        )

    def wait_for(self, text: str) -> None:
        """Read until `text` is there."""
        end = time.monotonic() + TIMEOUT
        while text not in self.text:
            assert time.monotonic() < end, f"{text!r} did not come, but {self.text!r}"
            if not self._read(0.1):
                assert self.process.poll() is None or self._read(0), f"ended without {text!r}: {self.text!r}"

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._ours, text.encode())

    def finish(self) -> int:
        """Read to the end; returns the exit code."""
        end = time.monotonic() + TIMEOUT
        while self.process.poll() is None:
            assert time.monotonic() < end, f"no end after {self.text!r}"
            self._read(0.1)
        while self._read(0):
            pass
        return self.process.returncode

    def close(self) -> None:
        """End what is left."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)

    def _read(self, seconds: float) -> bool:
        """Wait for what the command prints next; whether something came."""
        if not select.select([self._ours], [], [], seconds)[0]:
            return False
        try:
            self._bytes += os.read(self._ours, 65536)
        except OSError:  # Linux: the command has gone, and hung up
            return False
        self.text = self._bytes.decode(errors="ignore").replace("\r\n", "\n")
        return True


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


def press_tab(homeport: Homeport, *words: str) -> list[str]:
    """What bash is offered after a Tab at the end of the words."""
    done = homeport(
        _HOMEPORT_COMPLETE="complete_bash",
        COMP_WORDS="\n".join(("homeport", *words)),
        COMP_CWORD=str(len(words)),
    )
    assert done.stderr == ""
    return done.stdout.split()


def offered(homeport: Homeport, *words: str) -> list[str]:
    """The same where there is something to offer: a machine that stood still for the second that a shell waits
    is asked again."""
    return next((found for _ in range(TABS) if (found := press_tab(homeport, *words))), [])


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
