"""Git's configuration for every process of the agent's user: a file of Homeport's that the user's own config includes.

Git reads `~/.config/git/config` before `~/.gitconfig`, so what the person has in the latter counts more; in the former
the include stands first, for the same reason. No secret is in it. git-config(1), FILES.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

NAME: Final = "git.config"  # in the agent's data folder
MAX_FILE: Final = 1024 * 1024  # bytes of the user's file
_REASON: Final = (
    "# Homeport's name, e-mail address and credential helper; what follows and ~/.gitconfig count more."
)


@dataclass(frozen=True)
class GitConfig:
    """The values of the file. `bases`: addresses that the helper may be asked for, such as https://github.com.

    `ssh_command` None: git's own.
    """

    name: str
    email: str
    helper: str
    bases: Sequence[str]
    ssh_command: str | None = None

    def text(self) -> str:
        """The file."""
        lines = ["# Written by Homeport from its settings: homeport settings set git.name NAME"]
        if self.name or self.email:
            lines.append("[user]")
            lines += [
                f"\t{key} = {quote(value)}"
                for key, value in (("name", self.name), ("email", self.email))
                if value
            ]
        if self.ssh_command is not None:
            lines += ["[core]", f"\tsshCommand = {quote(self.ssh_command)}"]
        for base in sorted(set(self.bases)):
            lines += [
                f"[credential {quote(base)}]",
                f"\thelper = {quote(self.helper)}",
                "\tuseHttpPath = true",
            ]
        return "\n".join(lines) + "\n"


def quote(text: str) -> str:
    """A value as git's config has it: in quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'


def user_file() -> Path:
    """The file that the include stands in."""
    folder = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(folder).expanduser() / "git" / "config"


def write(path: Path, config: GitConfig) -> None:
    """Write Homeport's file. Raises OSError."""
    _replace(path, config.text())


def include(path: Path, own: Path) -> None:
    """Let the user's file `own` include Homeport's at `path`, where it does not yet. Raises OSError."""
    own = own.resolve()  # people keep it elsewhere, and link to it
    before = ""
    if own.exists():
        with own.open(encoding="utf-8", errors="surrogateescape") as file:
            before = file.read(MAX_FILE)
    line = f"\tpath = {quote(str(path))}"
    if line in before.splitlines() or len(before) == MAX_FILE:
        return
    own.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _replace(own, f"{_REASON}\n[include]\n{line}\n{before}")


def _replace(path: Path, text: str) -> None:
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(
            os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", errors="surrogateescape"
        ) as file:
            file.write(text)
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


if __name__ == "__main__":  # outside the agent's sandbox
    include(Path(sys.argv[1]), Path(sys.argv[2]))
