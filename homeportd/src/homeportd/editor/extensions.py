"""Extensions that the inventory wants in the editor: each missing one is a job, and one that fails is told, no more."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Final

from homeportd import child_process
from homeportd.editor.settings import EditorSettings
from homeportd.errors import HomeportError, Problem
from homeportd.jobs.service import JobHandle, Jobs
from homeportd.processes.environment import environment

INSTALL_S: Final = 300.0  # for one extension
_FOLDER: Final = re.compile(r"(?P<id>[^.]+[.].+?)-[0-9]+[.].*")  # publisher.name-1.2.3, or -1.2.3-linux-x64


def missing(wanted: Iterable[str], folders: Iterable[str]) -> list[str]:
    """The wanted ids, with or without a version, of which there is no folder."""
    there = {match["id"].lower() for name in folders if (match := _FOLDER.fullmatch(name))}
    return [each for each in wanted if each.partition("@")[0].lower() not in there]


class Extensions:
    """The extensions of the editor. Each that is missing is tried once in the life of the agent."""

    def __init__(self, settings: EditorSettings, jobs: Jobs) -> None:
        self._settings = settings
        self._jobs = jobs
        self._tried: set[str] = set()

    async def install_missing(self) -> None:
        """Begin a job for each that is missing. Raises sqlite3.Error."""
        lacking = missing(self._settings.wanted_extensions, await asyncio.to_thread(self._folders))
        for extension in lacking:
            if extension in self._tried:
                continue
            title, work = f"Install {extension} in the editor", partial(self._install, extension)
            with suppress(Problem):  # too many jobs wait: the next start of the editor tries again
                await self._jobs.start("extension", title, extension, work)
                self._tried.add(extension)

    def _folders(self) -> list[str]:
        try:
            return [entry.name for entry in self._settings.extensions.iterdir()]
        except OSError:
            return []

    async def _install(self, extension: str, job: JobHandle) -> None:
        """Run code-server's installer to its end. Raises HomeportError."""
        settings = self._settings
        command = (str(settings.node), str(settings.program), "--install-extension", extension)
        folders = ("--user-data-dir", str(settings.data), "--extensions-dir", str(settings.extensions))
        config = ("--config", str(settings.data / "config.yaml"))
        whole = environment({}, terminal=False)
        job.step(f"fetch {extension}")
        try:
            finished = await child_process.run(
                *command, *folders, *config, timeout_s=INSTALL_S, environment=whole, errors=True
            )
        except TimeoutError as error:
            raise HomeportError(
                f"{extension} was not installed within {INSTALL_S / 60:.0f} minutes",
                "install it in the editor, from the view of extensions",
            ) from error
        text = finished.output.decode("utf-8", "replace")
        job.line(text)
        if finished.code != 0 or "Failed Installing" in text:
            raise HomeportError(
                f"{extension} could not be installed: its registry does not have it, or is not reached",
                "see the job's log; correct code_server_extensions, or install it in the editor",
            )
