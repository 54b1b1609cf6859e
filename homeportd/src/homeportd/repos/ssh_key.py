"""The SSH key of the agent's user: their own one, else one that is made at first need."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from homeportd.errors import HomeportError
from homeportd.repos import files

NAMES: Final = ("id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk")  # as ssh tries them
KEYGEN_S: Final = 10.0


@dataclass(frozen=True)
class SshKey:
    """The public half of a key, one line, and the file of the private one."""

    public: str
    file: Path


def find() -> SshKey | None:
    """The key that ssh would use; None where there is none in its usual files. Blocking."""
    for name in NAMES:
        file = _folder() / name
        public = files.read(file.with_name(f"{name}.pub"))
        if file.exists() and public is not None and public.strip().isprintable():
            return SshKey(public.strip(), file)
    return None


async def ensure() -> SshKey | None:
    """The key; made where there is none. None where the person has keys elsewhere: an agent of ssh, or ssh's config.

    Raises HomeportError where none can be made.
    """
    found = await asyncio.to_thread(find)
    if found is not None:
        return found
    folder = _folder()
    if (
        os.environ.get("SSH_AUTH_SOCK")
        or (folder / "config").exists()
        or any((folder / name).exists() for name in NAMES)
    ):
        return None
    program = shutil.which("ssh-keygen")
    if program is None:
        raise HomeportError("there is no ssh-keygen to make an SSH key with", "apt install openssh-client")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / NAMES[0]
    process = await asyncio.create_subprocess_exec(
        program,
        *("-q", "-t", "ed25519", "-N", "", "-C", f"homeport@{socket.gethostname()}", "-f", str(file)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(KEYGEN_S):
        await process.wait()
    made = await asyncio.to_thread(find)
    if made is None:
        raise HomeportError(
            f"no SSH key could be made in {folder}", f"make one there: ssh-keygen -t ed25519 -f {file}"
        )
    return made


def _folder() -> Path:
    return Path.home() / ".ssh"
