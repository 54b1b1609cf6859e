"""Checks of the agent: its settings file, its answer, its sockets."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import Final

from homeportd import settings
from homeportd.cli.api_types import Status
from homeportd.cli.clients import installation
from homeportd.cli.clients.agent_client import Agent
from homeportd.cli.doctor.check import AGENT_S, Check, Machine, Step
from homeportd.cli.doctor.http import TIMEOUT
from homeportd.cli.errors import Failure
from homeportd.cli.output import phrases
from homeportd.settings import SettingsError

SOCKETS: Final = ("web", "gateway", "relay")  # to which Caddy connects
EDGE_SOCKETS: Final = ("web",)  # to which Traefik connects


def read_settings(machine: Machine) -> list[Check]:
    """Whether the agent's settings can be read; fills in the machine."""
    if machine.is_client_alone:
        return []
    try:
        found = installation.find()
    except Failure as failure:
        return [Check("settings", "fail", failure.detail, failure.fix)]
    machine.installation = found
    machine.agent = Agent(found, AGENT_S)
    try:
        machine.settings = settings.load(found.config)
    except SettingsError as error:
        return [Check("settings", "fail", str(error), error.fix)]
    return [Check("settings", "ok", str(found.config))]


def answer(machine: Machine) -> list[Check]:
    """Whether the agent answers; fills in the machine."""
    if machine.agent is None:
        return []
    try:
        status: Status = machine.agent.get("/status")
    except Failure as failure:
        return [Check("agent", "fail", failure.detail, failure.fix)]
    machine.agent_is_up = True
    up = phrases.duration(status["uptime_s"])
    return [Check("agent", "ok", f"{status['version']}, user {status['user']}, up {up}")]


def sockets(folder: Path, remedy: str, names: tuple[str, ...] = SOCKETS) -> Check:
    """Whether the agent listens on the sockets to which Caddy and Traefik connect."""
    for name in names:
        path = folder / f"{name}.sock"
        try:
            if not stat.S_ISSOCK(path.stat().st_mode):
                return Check("sockets", "fail", f"{path} is not a socket", f"remove it, then {remedy}")
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                probe.settimeout(TIMEOUT)
                probe.connect(str(path))
        except PermissionError as error:
            if folder.stat().st_uid == os.getuid():
                return Check("sockets", "fail", f"{path}: {error.strerror}", remedy)
            return Check("sockets", "skipped", f"{folder} is for the account that the agent serves, and root")
        except OSError as error:
            return Check("sockets", "fail", f"{path}: {error.strerror or error}", remedy)
    return Check("sockets", "ok", f"{', '.join(names)} in {folder}")


def _sockets(machine: Machine) -> list[Check]:
    if machine.settings is None:
        return []
    names = SOCKETS if machine.settings.origins else EDGE_SOCKETS
    return [sockets(machine.settings.socket_dir, machine.remedy("homeportd"), names)]


STEPS: Final = (
    Step(10, "settings", read_settings, needs_settings=False),
    Step(30, "agent", answer, checks=("agent",)),
    Step(40, "sockets", _sockets, checks=("sockets",)),
)
