"""The SSH key of the agent's user: their own one, else one of Homeport's that is made at first need.

Homeport's key, and the host keys that it accepts, are in the agent's data folder: under systemd the agent may not write
to homes, and `~/.ssh` has more in it than git's business.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from homeportd import child_process
from homeportd.errors import HomeportError
from homeportd.repos import files
from homeportd.signal import Signal

NAMES: Final = ("id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk")  # as ssh tries them
KEYGEN_S: Final = 10.0


@dataclass(frozen=True)
class SshKey:
    """The public half of a key, one line, and the file of the private one."""

    public: str
    file: Path


class SshKeys:
    """The user's keys in `~/.ssh`, and Homeport's in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.made: Signal[[]] = Signal()
        self._folder = folder

    @property
    def own(self) -> Path:
        """The file of Homeport's key, which may not be there."""
        return self._folder / NAMES[0]

    def options(self) -> str:
        """The options of ssh, quoted for a shell: Homeport's key and host keys beside the user's."""
        known = f'-oUserKnownHostsFile="{self._folder / "known_hosts"}" ~/.ssh/known_hosts'
        words = [known, "-oStrictHostKeyChecking=accept-new"]
        if self.own.exists():
            words += ["-i", str(self.own)]
        return shlex.join(words)

    def find(self) -> SshKey | None:
        """The key that ssh would use; None where there is none in its usual files. Blocking."""
        for file in (*(_home() / name for name in NAMES), self.own):
            public = files.read(file.with_name(f"{file.name}.pub"))
            with suppress(OSError):
                if file.exists() and public is not None and public.strip().isprintable():
                    return SshKey(public.strip(), file)
        return None

    async def ensure(self) -> SshKey | None:
        """The key; made where there is none. None where the user has keys elsewhere: an agent of ssh, or ssh's config.

        Raises HomeportError where none can be made.
        """
        found = await asyncio.to_thread(self.find)
        if found is not None:
            return found
        if await asyncio.to_thread(_has_other_keys):
            return None
        program = shutil.which("ssh-keygen")
        if program is None:
            raise HomeportError(
                "there is no ssh-keygen to make an SSH key with", "apt install openssh-client"
            )
        self._folder.mkdir(mode=0o700, exist_ok=True)
        await child_process.run(
            program,
            *("-q", "-t", "ed25519", "-N", "", "-C", f"homeport@{socket.gethostname()}", "-f", str(self.own)),
            timeout_s=KEYGEN_S,
        )
        made = await asyncio.to_thread(self.find)
        if made is None:
            raise HomeportError(f"no SSH key could be made in {self._folder}", "see to the room on that disk")
        self.made.emit()
        return made


def _home() -> Path:
    return Path.home() / ".ssh"


def _has_other_keys() -> bool:
    folder = _home()
    if os.environ.get("SSH_AUTH_SOCK"):
        return True
    return (folder / "config").exists() or any((folder / name).exists() for name in NAMES)
