"""The daemon's files in ~/.local/state/homeport: its tunnels, who it is, its lock, its socket and its log."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from homeportd.tunnels.account import write_private
from homeportd.tunnels.errors import Problem, Reason

FOLDER: Final = "~/.local/state/homeport"
MAX_FILE: Final = 4 * 1024 * 1024  # bytes of the list of tunnels
MAX_SOCKET_PATH: Final = 103  # bytes: macOS has one less than Linux's 107
FORMAT: Final = 1
SAME_START_S: Final = 1.0  # seconds by which two readings of a process's start may differ


@dataclass(frozen=True)
class Files:
    """Where each is."""

    folder: Path

    @classmethod
    def of_user(cls) -> Files:
        """This user's."""
        return cls(Path(FOLDER).expanduser())

    @property
    def socket(self) -> Path:
        """Where the command line talks to the daemon; its owner alone."""
        return self.folder / "daemon.sock"

    @property
    def process(self) -> Path:
        """The daemon's pid and start time."""
        return self.folder / "daemon.pid"

    @property
    def lock(self) -> Path:
        """Held by the daemon as long as it lives; the kernel lets it go."""
        return self.folder / "daemon.lock"

    @property
    def log(self) -> Path:
        """What a daemon without systemd has to say."""
        return self.folder / "daemon.log"

    @property
    def tunnels(self) -> Path:
        """The tunnels that the daemon opens whenever it starts. There may be passcodes in it."""
        return self.folder / "tunnels.json"

    def make(self) -> None:
        """Make the folder, for its owner alone. Raises Problem."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.folder.stat().st_uid != os.getuid():
                raise PermissionError(1, "it belongs to another user")
            self.folder.chmod(0o700)
        except OSError as error:
            raise Problem(
                Reason.DAEMON,
                f"cannot use {self.folder}: {error.strerror}",
                "check its owner and mode, and the space on that disk",
            ) from error
        if len(os.fsencode(self.socket)) > MAX_SOCKET_PATH:
            raise Problem(
                Reason.DAEMON,
                f"the path of the daemon's socket is longer than {MAX_SOCKET_PATH} bytes: {self.socket}",
                "use a home directory with a shorter path",
            )


class Lock:
    """Held by one daemon of a user at a time. Use it with `with`. Raises Problem when another has it."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._descriptor = -1

    def __enter__(self) -> Lock:
        self._descriptor = os.open(self._files.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            found = running(self._files)
            raise Problem(
                Reason.DAEMON,
                f"a daemon of this user runs already{'' if found is None else f' (pid {found.pid})'}",
                "homeport daemon status shows it; homeport tunnels add gives it another tunnel",
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def write_process(files: Files) -> None:
    """Note who the daemon is: a pid alone may be another process tomorrow."""
    me = psutil.Process()
    write_private(files.process, json.dumps({"pid": me.pid, "started": me.create_time()}) + "\n")


def running(files: Files) -> psutil.Process | None:
    """The daemon's process; None when the file is stale or missing."""
    try:
        said = json.loads(files.process.read_text()[:1000])
        pid, started = int(said["pid"]), float(said["started"])
        if pid <= 1:
            return None
        found = psutil.Process(pid)
        same = abs(found.create_time() - started) < SAME_START_S
        return found if same and found.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None


def load_tunnels(files: Files) -> list[dict[str, Any]]:
    """The tunnels as they were stored. Raises Problem when the file is not one of ours."""
    try:
        with files.tunnels.open("rb") as opened:
            data = opened.read(MAX_FILE + 1)
        said = json.loads(data)
        if said["format"] != FORMAT:
            raise ValueError(f"format {said['format']}")
        return [dict(item) for item in said["tunnels"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Problem(
            Reason.DAEMON,
            f"cannot read {files.tunnels}: {error}",
            f"mend it, or move it away: mv {files.tunnels} {files.tunnels}.bad",
            lasting=True,
        ) from error


def store_tunnels(files: Files, tunnels: list[dict[str, Any]]) -> None:
    """Store them all, or leave what was there. Raises OSError."""
    write_private(files.tunnels, json.dumps({"format": FORMAT, "tunnels": tunnels}, indent=1) + "\n")
