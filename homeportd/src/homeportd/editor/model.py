"""The editor's state, the command that runs it, and when it is idle; no I/O."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

from homeportd.editor.settings import EditorSettings
from homeportd.origin import EDITOR, Origin
from homeportd.processes.model import ProcessSpec

PROCESS: Final = "editor"  # its id among the processes
STOP_S: Final = 10.0  # for it to end its extension hosts, before they are killed
MAX_HEARTBEAT_AGE_S: Final = 60.0  # code-server writes its heartbeat once in a minute while a window is open
# The person's settings, until there are some: what needs accounts of the vendor's is out of the way.
FIRST_SETTINGS: Final = """{
  "chat.disableAIFeatures": true,
  "telemetry.telemetryLevel": "off",
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "workbench.startupEditor": "none"
}
"""


class EditorState(StrEnum):
    """Where the editor is in its life. `failed`: it ended before it answered, or could not be run."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    FAILED = "failed"


@dataclass(frozen=True)
class EditorStatus:
    """The editor now. `memory` is the bytes of its whole tree, None while it does not run; `failure` is a phrase."""

    state: EditorState
    memory: int | None = None
    failure: str | None = None


def machine_settings(path: Path) -> str:
    """The editor's settings for this machine: its terminals have what a login shell has, and `homeport` besides."""
    return json.dumps({"terminal.integrated.env.linux": {"PATH": f"${{env:PATH}}:{path}"}}, indent=2) + "\n"


def address(origin: Origin, folder: Path) -> str:
    """The address at which the editor opens a folder."""
    return f"{origin.of_port(EDITOR)}/?{urlencode({'folder': str(folder)}, quote_via=quote, safe='/')}"


def spec(settings: EditorSettings, socket: Path, origin: Origin, directory: Path) -> ProcessSpec:
    """The editor as a process.

    It listens on a unix socket alone: without a password, a port would be a shell for every user of the machine. Its
    own proxy is off, which would show dev servers at the editor's origin. Workspace trust stays on: a folder that
    somebody else made runs nothing until the person trusts it.
    """
    data = settings.data
    return ProcessSpec(
        id=PROCESS,
        argv=(
            str(settings.node),
            str(settings.program),
            *("--socket", str(socket), "--socket-mode", "660"),
            *("--auth", "none", "--disable-proxy"),
            *("--disable-telemetry", "--disable-update-check", "--disable-getting-started-override"),
            *("--config", str(data / "config.yaml")),
            *("--user-data-dir", str(data), "--extensions-dir", str(settings.extensions)),
            *("--app-name", "Homeport"),
            # What `/` opens: code-server alone would remember the last folder.
            *("--ignore-last-opened", str(directory)),
        ),
        directory=directory,
        environment={
            "VSCODE_PROXY_URI": origin.pattern.replace("{port}", "{{port}}"),
        },
        terminal=False,
        stop_timeout_s=STOP_S,
    )


def is_idle(
    now: float, used_at: float, idle_s: float, listening: Iterable[int], tree: frozenset[int]
) -> bool:
    """Whether the editor may be stopped: no window for `idle_s`, and no dev server in a terminal of it.

    `used_at` is the time of the last heartbeat; `listening` are pids of processes that have a port, `tree` the
    editor's own.
    """
    if now - used_at < max(idle_s, MAX_HEARTBEAT_AGE_S * 2):
        return False
    return tree.isdisjoint(listening)
