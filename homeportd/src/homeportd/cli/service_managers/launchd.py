"""The tunnel daemon as a launch agent of macOS: launchd.plist(5), launchctl(1).

Written from Apple's manual pages and tried with a stand-in for launchctl; nobody has run it on a Mac yet.
"""

from __future__ import annotations

import contextlib
import os
import plistlib
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from homeportd.cli.errors import Failure

MANAGER: Final = "launchd"
NAME: Final = "homeport.tunnels"
FOLDER: Final = "~/Library/LaunchAgents"
# launchd starts whatever failed, for good or for now, and waits so long from start to start.
RESTART_S: Final = 30
STOP_S: Final = 20
LAUNCHCTL_S: Final = 45.0
ATTEMPTS: Final = 3  # an agent that was just taken out may be on its way for a moment
ATTEMPT_S: Final = 1.0


def has_manager() -> bool:
    """Whether launchd looks after this user's agents here."""
    return sys.platform == "darwin" and shutil.which("launchctl") is not None


def start(command: list[str], log: Path) -> None:
    """Write the launch agent, start it now and at each login. Raises Failure."""
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text(command, log))
    message = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(ATTEMPT_S)
        _launchctl("bootout", f"{_domain()}/{NAME}")  # one of before, which may be another release's
        _launchctl("enable", f"{_domain()}/{NAME}")
        code, message = _launchctl("bootstrap", _domain(), str(path))
        if code == 0:
            return
    path.unlink(missing_ok=True)
    raise Failure(
        f"launchctl bootstrap failed: {message.splitlines()[0] if message else 'no reason given'}",
        "start it from the Mac's own desktop rather than by ssh, or homeport daemon start --no-launchd",
    )


def stop() -> None:
    """Stop the daemon, and start it at no login."""
    _launchctl("bootout", f"{_domain()}/{NAME}")
    with contextlib.suppress(FileNotFoundError):
        _path().unlink()


def is_enabled() -> bool:
    """Whether the daemon starts at each login."""
    return _path().exists()


def notes() -> list[str]:
    """What a person should know once the daemon runs."""
    return ["It ends when you log out, and starts when you log in."]


def out_of_reach() -> str:
    """How to stop the daemon where launchd cannot be asked."""
    return f"note: launchd is not reachable from here and will start it again at the next login; then: rm {_path()}\n"


def where(log: Path) -> str:
    """The command that shows the daemon's log."""
    from shlex import quote

    return f"tail {quote(str(log))}"


def text(command: list[str], log: Path) -> bytes:
    """The property list of an agent that runs a command, which logs to `log` by itself."""
    return plistlib.dumps(
        {
            "Label": NAME,
            "ProgramArguments": [*command, "--log", str(log)],
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ThrottleInterval": RESTART_S,
            "ExitTimeOut": STOP_S,
            "ProcessType": "Interactive",  # others are slowed down, and visitors wait for this one
            "Umask": 0o077,
            "StandardErrorPath": str(log),
        }
    )


def _path() -> Path:
    return Path(FOLDER).expanduser() / f"{NAME}.plist"


def _domain() -> str:
    return f"gui/{os.getuid()}"


def _launchctl(*arguments: str) -> tuple[int, str]:
    """The exit code, and the text on standard error."""
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments
            ["launchctl", *arguments],  # noqa: S607 - has_manager looked
            capture_output=True,
            text=True,
            timeout=LAUNCHCTL_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, str(error)
    return done.returncode, done.stderr.strip()
