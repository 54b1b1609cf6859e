"""Git's configuration for every process of the agent's user, kept in step with the settings."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import shutil
import sys
from pathlib import Path
from typing import Final

from homeportd import child_process
from homeportd.preferences.service import Preferences
from homeportd.repos.credentials import Credentials
from homeportd.repos.git import config_file
from homeportd.repos.git.config_file import GitConfig
from homeportd.repos.preferences import GitPreferences
from homeportd.repos.ssh_key import SshKeys
from homeportd.tasks import TaskSet

OUTSIDE_S: Final = 20.0  # for a command by the user's systemd

_log = logging.getLogger(__name__)


class UserConfig:
    """Writes the file at `path`, which the user's own config includes: git commits and pushes in any terminal."""

    def __init__(
        self, path: Path, helper: str, preferences: Preferences, credentials: Credentials, keys: SshKeys
    ) -> None:
        self._path = path
        self._helper = helper
        self._preferences = preferences
        self._credentials = credentials
        self._keys = keys
        self._tasks = TaskSet()
        self._writing = asyncio.Lock()
        preferences.changed.subscribe(self._changed)
        keys.made.subscribe(lambda: self._changed("git"))

    async def start(self) -> None:
        """Write the file anew where there is one: the helper may be another since an upgrade."""
        if self._path.exists():
            await self.write()

    async def write(self) -> None:
        """Write the file and the include. Where that fails, the log says why."""
        identity = self._preferences.get("git", GitPreferences)
        ssh = f"ssh {self._keys.options()}" if await asyncio.to_thread(self._keys.own.exists) else None
        config = GitConfig(identity.name, identity.email, self._helper, self._credentials.bases, ssh)
        try:
            async with self._writing:
                await asyncio.to_thread(config_file.write, self._path, config)
                await self._include(config_file.user_file())
        except OSError as error:
            _log.warning("git is not configured for terminals: %s", error)

    async def close(self) -> None:
        """Finish what is being written."""
        await self._tasks.finish()

    async def _include(self, own: Path) -> None:
        """Let the user's file include Homeport's; where the agent may not write to homes, by the user's own systemd."""
        if "GIT_CONFIG_GLOBAL" in os.environ:  # git reads that file in its place
            return
        try:
            await asyncio.to_thread(config_file.include, self._path, own)
        except OSError as error:
            program = shutil.which("systemd-run")
            if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM) or program is None:
                raise
            finished = await child_process.run(
                program,
                *("--user", "--quiet", "--wait", "--collect", "--"),
                *(sys.executable, "-m", config_file.__name__, str(self._path), str(own)),
                timeout_s=OUTSIDE_S,
                environment={**os.environ, "XDG_RUNTIME_DIR": f"/run/user/{os.getuid()}"},
            )
            if finished.code:
                raise

    def _changed(self, section: str) -> None:
        if section in ("git", "github", "gitlab"):
            self._tasks.spawn(self.write(), "git's configuration")
