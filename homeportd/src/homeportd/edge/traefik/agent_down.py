"""The route that holds while the agent is down: Traefik then leads nobody to the agent's ports, which others may take.

It stands above all others, and has no server: Traefik answers 503 itself. The agent writes it before it closes its
ports, and removes it when they are open again. Should the agent be killed, a shell that waits for its end does.
"""

from __future__ import annotations

import contextlib
import json
import logging
import subprocess
from pathlib import Path
from typing import Any, Final

from homeportd.edge.traefik.routes import DOWN_FILE, PREFIX, PRIORITY, UNFINISHED

# For Traefik to read the file, which takes it a tenth to three tenths, before the ports close.
READ_S: Final = 0.5
END_S: Final = 5.0  # for the shell to end
# The agent's end is the end of standard input, unless a line came before. Whoever ends the agent's whole group of
# processes shall not end the shell before it has done its work.
_WAIT: Final = """trap '' HUP INT TERM; read -r word || mv -f -- "$0" "$1" """

_log = logging.getLogger(__name__)


def route(entry_point: str, *, tls: bool) -> dict[str, Any]:
    """The content of the file."""
    name = f"{PREFIX}agent-down"
    router = {
        "rule": "PathPrefix(`/`)",
        "priority": 100 * PRIORITY,
        "entryPoints": [entry_point],
        "service": name,
    }
    return {
        "http": {
            "routers": {name: {**router, **({"tls": {}} if tls else {})}},
            "services": {name: {"loadBalancer": {"servers": []}}},
        }
    }


class AgentDown:
    """The file of that route in the folder that Traefik watches."""

    def __init__(self, folder: Path, entry_point: str, *, tls: bool) -> None:
        self._file = folder / DOWN_FILE
        self._ready = self._file.with_suffix(UNFINISHED)
        self._text = json.dumps(route(entry_point, tls=tls), indent=1) + "\n"
        self._guard: subprocess.Popen[bytes] | None = None

    def agent_is_up(self) -> None:
        """Let visitors in, and have the file appear if this process ends without `agent_goes`. Blocking, short."""
        try:
            self._ready.write_text(self._text)
            self._ready.chmod(0o640)
            self._guard = subprocess.Popen(  # noqa: S603 - our own arguments
                ["/bin/sh", "-c", _WAIT, str(self._ready), str(self._file)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            _log.warning("routes will stay if this agent is killed: %s", error)
        self._file.unlink(missing_ok=True)

    def agent_goes(self) -> None:
        """Let nobody in from now on; Traefik reads that within READ_S."""
        with contextlib.suppress(OSError):
            self._ready.write_text(self._text)
            self._ready.chmod(0o640)
            self._ready.rename(self._file)

    def close(self) -> None:
        """End the shell. Blocking, short."""
        if self._guard is not None and self._guard.stdin is not None:
            with contextlib.suppress(OSError):
                self._guard.stdin.write(b"done\n")
                self._guard.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._guard.wait(END_S)
            self._guard = None
