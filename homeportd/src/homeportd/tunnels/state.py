"""The daemon's files in ~/.local/state/homeport: its tunnels, its process, its lock, its socket and its log."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from homeportd import json_text
from homeportd.tunnels.account import write_private
from homeportd.tunnels.errors import Reason, TunnelError

FOLDER: Final = "~/.local/state/homeport"
MAX_FILE: Final = 4 * 1024 * 1024  # bytes of the list of tunnels
MAX_SOCKET_PATH: Final = 103  # bytes: macOS has one less than Linux's 107
FORMAT: Final = 1
SAME_START_S: Final = 1.0  # seconds by which two readings of a process's start may differ


@dataclass(frozen=True)
class DaemonFiles:
    """The paths of the daemon's files."""

    folder: Path

    @classmethod
    def of_user(cls) -> DaemonFiles:
        """The files of this process's user."""
        return cls(Path(FOLDER).expanduser())

    @property
    def socket(self) -> Path:
        """The control socket, for its owner alone."""
        return self.folder / "daemon.sock"

    @property
    def process(self) -> Path:
        """The daemon's pid and start time, as JSON."""
        return self.folder / "daemon.pid"

    @property
    def lock(self) -> Path:
        """The lock that a daemon holds as long as it lives; the kernel releases it."""
        return self.folder / "daemon.lock"

    @property
    def log(self) -> Path:
        """The log of a daemon without systemd."""
        return self.folder / "daemon.log"

    @property
    def tunnels(self) -> Path:
        """The tunnels that the daemon opens whenever it starts, as JSON; may contain passcodes."""
        return self.folder / "tunnels.json"

    def make(self) -> None:
        """Make the folder, for its owner alone. Raises TunnelError."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.folder.stat().st_uid != os.getuid():
                raise PermissionError(1, "it belongs to another user")
            self.folder.chmod(0o700)
        except OSError as error:
            raise TunnelError(
                Reason.DAEMON,
                f"cannot use {self.folder}: {error.strerror}",
                "check its owner and mode, and the space on that disk",
            ) from error
        if len(os.fsencode(self.socket)) > MAX_SOCKET_PATH:
            raise TunnelError(
                Reason.DAEMON,
                f"the path of the daemon's socket is longer than {MAX_SOCKET_PATH} bytes: {self.socket}",
                "use a home directory with a shorter path",
            )


class Lock:
    """The lock that one daemon of a user holds at a time; a context manager. Raises TunnelError when it is taken."""

    def __init__(self, files: DaemonFiles) -> None:
        self._files = files
        self._descriptor = -1

    def __enter__(self) -> Lock:
        self._descriptor = os.open(self._files.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            found = running(self._files)
            raise TunnelError(
                Reason.DAEMON,
                f"a daemon of this user runs already{'' if found is None else f' (pid {found.pid})'}",
                "homeport daemon status shows it; homeport tunnels add gives it another tunnel",
            ) from None
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def write_process(files: DaemonFiles) -> None:
    """Write the pid and start time of this process: a pid alone may be another process later."""
    me = psutil.Process()
    write_private(files.process, json.dumps({"pid": me.pid, "started": me.create_time()}) + "\n")


def running(files: DaemonFiles) -> psutil.Process | None:
    """The daemon's process; None where the file is stale or missing."""
    try:
        stored = json_text.loads(files.process.read_text()[:1000])
        pid, started = int(stored["pid"]), float(stored["started"])
        if pid <= 1:
            return None
        found = psutil.Process(pid)
        same = abs(found.create_time() - started) < SAME_START_S
        return found if same and found.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None


def load_tunnels(files: DaemonFiles) -> list[dict[str, Any]]:
    """The tunnels as they were stored. Raises TunnelError for a file that is not understood."""
    try:
        with files.tunnels.open("rb") as opened:
            data = opened.read(MAX_FILE + 1)
        stored = json_text.loads(data)
        if stored["format"] != FORMAT:
            raise ValueError(f"format {stored['format']}")
        return [dict(item) for item in stored["tunnels"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TunnelError(
            Reason.DAEMON,
            f"cannot read {files.tunnels}: {error}",
            f"mend it, or move it away: mv {files.tunnels} {files.tunnels}.bad",
            lasting=True,
        ) from error


def store_tunnels(files: DaemonFiles, tunnels: list[dict[str, Any]]) -> None:
    """Store all tunnels, or leave the file as it was. Raises OSError."""
    write_private(files.tunnels, json.dumps({"format": FORMAT, "tunnels": tunnels}, indent=1) + "\n")
