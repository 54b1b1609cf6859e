"""Checks of `homeport doctor`: their result, the machine that they are about, and the steps that make them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from homeportd.cli.clients import installation
from homeportd.cli.clients.agent_client import Agent
from homeportd.cli.clients.installation import Installation
from homeportd.settings import Settings
from homeportd.tunnels import account as accounts
from homeportd.tunnels import local_edge
from homeportd.tunnels.state import DaemonFiles

AGENT_S: Final = 3.0  # for each step of asking the agent

State = Literal["ok", "note", "fail", "skipped"]


@dataclass(frozen=True)
class Check:
    """The result of one check.

    `note`: works, with something to know. `skipped`: cannot be tested before another check passes.
    """

    name: str
    state: State
    detail: str
    fix: str | None = None


@dataclass
class Machine:
    """The machine that is checked, and a port of it if one was named. The first steps fill in the other fields."""

    port: int | None
    installation: Installation | None = None
    settings: Settings | None = None
    agent: Agent | None = None
    agent_is_up: bool = False

    @property
    def has_client(self) -> bool:
        """Whether this user has an edge, or this machine is one."""
        return accounts.path().exists() or local_edge.find() is not None

    @property
    def is_client_alone(self) -> bool:
        """Whether this is a laptop with tunnels and no agent, of which nothing else was asked."""
        return self.port is None and accounts.path().exists() and not installation.exists()

    @property
    def data_folders(self) -> list[Path]:
        """The folders in which Homeport keeps its data."""
        folders = [] if self.settings is None else [self.settings.data_dir]
        return [*folders, DaemonFiles.of_user().folder] if self.has_client else folders

    def remedy(self, service: str) -> str:
        """How to look after one of Homeport's processes on this machine."""
        return "run bin/site" if self.installation is None else self.installation.remedy(service)


@dataclass(frozen=True)
class Step:
    """One step of the doctor, which a module of this package lists in its STEPS.

    `position`: its place in the report. `subject`: the text on a terminal while it runs. `checks`: the names that
    are skipped where the agent's settings, which the step `needs_settings` of, cannot be read.
    """

    position: int
    subject: str
    run: Callable[[Machine], list[Check]]
    needs_settings: bool = True
    checks: tuple[str, ...] = ()


def skipped(*names: str) -> list[Check]:
    """Checks that were not made."""
    return [Check(name, "skipped", "not tested: mend what fails above first") for name in names]
