"""The tunnel daemon as a unit of systemd's user manager."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from homeportd.cli.errors import Failure
from homeportd.tunnels import proxy

MANAGER: Final = "systemd"
NAME: Final = "homeport-tunnels.service"
NEVER: Final = 3  # exit code of a daemon that will not run however often it is started
SYSTEMCTL_S: Final = 45.0  # longer than the unit's own time to start
FOLDER: Final = "~/.config/systemd/user"
# No limit on restarts: whatever was wrong with the machine may be mended at any time.
_UNIT: Final = """\
# Written by `homeport daemon start`.
[Unit]
Description=Homeport tunnels
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart=:{command}
Restart=on-failure
RestartSec=2
RestartPreventExitStatus={never}
WatchdogSec=60
TimeoutStartSec=30
TimeoutStopSec=20
LimitNOFILE=65536
NoNewPrivileges=yes
UMask=0077

[Install]
WantedBy=default.target
"""


def has_manager() -> bool:
    """Whether systemd looks after this user's services here."""
    folder = os.environ.get("XDG_RUNTIME_DIR", "")
    return (
        bool(folder) and Path(folder, "systemd", "private").exists() and shutil.which("systemctl") is not None
    )


def start(command: list[str], log: Path) -> None:
    """Write the unit, start it now and at each login; the journal has its log. Raises Failure."""
    path = Path(FOLDER).expanduser() / NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text(command))
    _systemctl("daemon-reload")
    # The proxy of this terminal's environment, until the manager ends; `homeport init --proxy` keeps one for good.
    if names := [name for name in proxy.NAMES if os.environ.get(name)]:
        _systemctl("import-environment", *names)
    _systemctl("enable", "--now", NAME)


def stop() -> None:
    """Stop the daemon, and start it at no login. Raises Failure."""
    _systemctl("disable", "--now", NAME)


def is_enabled() -> bool:
    """Whether the daemon starts at each login, also where the manager cannot be asked."""
    return (Path(FOLDER).expanduser() / "default.target.wants" / NAME).is_symlink()


def notes() -> list[str]:
    """What a person should know once the daemon runs."""
    import getpass

    if Path("/var/lib/systemd/linger", getpass.getuser()).exists():
        return []
    return ["It ends when you log out; to keep it: loginctl enable-linger"]


def out_of_reach() -> str:
    """How to stop the daemon where the manager cannot be asked."""
    return (
        "note: systemd is not reachable from here and will start it again at the next login; then:"
        f" XDG_RUNTIME_DIR=/run/user/{os.getuid()} homeport daemon stop\n"
    )


def where(log: Path) -> str:
    """The command that shows the daemon's log."""
    return f"journalctl --user -u {NAME} -n 30"


def text(command: list[str]) -> str:
    """The unit that runs a command."""
    return _UNIT.format(command=" ".join(map(_quoted, command)), never=NEVER)


def _quoted(argument: str) -> str:
    """One argument of a command line with `:` before it, systemd.service(5)."""
    for character, escaped in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%")):
        argument = argument.replace(character, escaped)
    return f'"{argument}"'


def _systemctl(*arguments: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments
            ["systemctl", "--user", *arguments],  # noqa: S607 - wherever it is on this system
            capture_output=True,
            text=True,
            timeout=SYSTEMCTL_S,
            check=False,
        )
        message = done.stderr.strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        message, done = str(error), None
    if done is None or done.returncode:
        reason = message.splitlines()[0] if message else "no reason given"
        raise Failure(
            f"systemctl --user {' '.join(arguments)} failed: {reason}",
            f"journalctl --user -u {NAME} -n 30, or homeport daemon start --no-systemd",
        )
