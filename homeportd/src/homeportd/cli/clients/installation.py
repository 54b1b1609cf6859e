"""The agent that is installed for this machine and user: the one key of its settings file that a client needs.

The agent's own `settings` module checks the whole file, and costs 60 ms of imports; here one key is read.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from homeportd.cli.errors import UNREACHABLE, Failure

CANDIDATES: Final = ("~/.config/homeport/agent.toml", "/etc/homeport/agent.toml")  # as in `settings`
CLIENT: Final = "~/.config/homeport/edge.toml"  # as in tunnels.account, which takes longer to import
SYSTEMD: Final = Path("/run/systemd/system")  # exists where PID 1 is systemd: sd_booted(3)


@dataclass(frozen=True)
class Installation:
    """An installed agent: its settings file and the folder of its sockets."""

    config: Path
    socket_dir: Path

    @property
    def cli_socket(self) -> Path:
        """The socket that trusts the user of the agent and root."""
        return self.socket_dir / "cli.sock"

    def remedy(self, service: str) -> str:
        """The command that shows how a service of this installation is: `homeportd`, `homeport-caddy`."""
        import shutil  # of use where something fails

        rootful = self.config.is_relative_to("/etc")
        if SYSTEMD.is_dir() and rootful:
            sudo = (
                "sudo " if os.geteuid() and shutil.which("sudo") else ""
            )  # the journal is not everybody's to read
            return f"systemctl status {service}, then {sudo}journalctl -u {service} -n 30"
        log = (
            Path("/var/log") if rootful else Path("~/.local/state").expanduser()
        ) / f"homeport/{service}.log"
        hint = f"; {log} has its last lines" if log.exists() else ""
        return f"run bin/site, which starts what does not run{hint}"


def exists() -> bool:
    """Whether an agent is installed for this machine and user, be its settings right or wrong."""
    return any(path.exists() for path in _paths())


def find() -> Installation:
    """The installed agent. Raises Failure when there is none."""
    paths = _paths()
    for path in paths:
        try:
            with path.open("rb") as file:
                keys = tomllib.load(file)
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise Failure(
                f"cannot read {path}: {reason}", f"homeportd check --config {path}", UNREACHABLE
            ) from error
        folder = keys.get("socket_dir")
        if not isinstance(folder, str):
            raise Failure(f"{path} has no socket_dir", f"homeportd check --config {path}", UNREACHABLE)
        return Installation(path, Path(folder))
    nowhere = f"no settings file at {' or '.join(map(str, paths))}"
    if Path(CLIENT).expanduser().exists():
        raise Failure(
            f"{nowhere}: this user has tunnels to an edge, and no agent that looks for dev servers",
            "homeport tunnels shows the tunnels; bin/site makes this machine a workstation",
            UNREACHABLE,
        )
    raise Failure(
        f"{nowhere}: Homeport is not installed for this user",
        "run bin/site in a clone of Homeport, or name the file in HOMEPORT_CONFIG;"
        " for tunnels alone: homeport init --edge URL",
        UNREACHABLE,
    )


def _paths() -> list[Path]:
    named = os.environ.get("HOMEPORT_CONFIG")
    return [Path(named)] if named else [Path(text).expanduser() for text in CANDIDATES]
