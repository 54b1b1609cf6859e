"""The service managers that can look after a user's daemon: systemd and launchd."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

from homeportd.cli.service_managers import launchd, systemd


class Manager(Protocol):
    """A service manager: the modules `systemd` and `launchd`."""

    MANAGER: str

    def has_manager(self) -> bool:
        """Whether this manager looks after this user's services here."""

    def start(self, command: list[str], log: Path) -> None:
        """Start the daemon, now and at each login. Raises Failure."""

    def stop(self) -> None:
        """Stop the daemon, and start it at no login. Raises Failure."""

    def is_enabled(self) -> bool:
        """Whether the daemon starts at each login, also where the manager cannot be asked."""

    def notes(self) -> list[str]:
        """What a person should know once the daemon runs."""

    def out_of_reach(self) -> str:
        """How to stop the daemon where the manager cannot be asked."""

    def where(self, log: Path) -> str:
        """The command that shows the daemon's log."""


MANAGERS: Final[tuple[Manager, ...]] = (systemd, launchd)
