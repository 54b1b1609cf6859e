"""Git's configuration for every process of the agent's user, kept in step with the settings."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from homeportd.preferences.service import Preferences
from homeportd.repos.credentials import Credentials
from homeportd.repos.git import config_file
from homeportd.repos.git.config_file import GitConfig
from homeportd.repos.preferences import GitPreferences
from homeportd.repos.ssh_key import SshKeys
from homeportd.tasks import TaskSet

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
        except OSError as error:
            _log.warning("git is not configured for terminals: %s", error)

    async def close(self) -> None:
        """Finish what is being written."""
        await self._tasks.finish()

    def _changed(self, section: str) -> None:
        if section in ("git", "github", "gitlab"):
            self._tasks.spawn(self.write(), "git's configuration")
