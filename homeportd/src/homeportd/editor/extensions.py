"""Extensions that the inventory wants in the editor: each missing one is a job, and one that fails is told, no more."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from homeportd.editor.settings import EditorSettings
from homeportd.errors import HomeportError, Problem
from homeportd.jobs.service import JobHandle, Jobs
from homeportd.processes.environment import environment

INSTALL_S: Final = 300.0  # for one extension
MAX_OUTPUT: Final = 64 * 1024  # bytes of what an installation says
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
            self._tried.add(extension)
            with suppress(Problem):  # too many jobs wait: the next start of the editor tries again
                await self._jobs.start(
                    "extension", f"Install {extension} in the editor", extension, self._work(extension).run
                )

    def _folders(self) -> list[str]:
        try:
            return [entry.name for entry in self._settings.extensions.iterdir()]
        except OSError:
            return []

    def _work(self, extension: str) -> _Installation:
        settings = self._settings
        command = (str(settings.node), str(settings.program), "--install-extension", extension)
        folders = ("--user-data-dir", str(settings.data), "--extensions-dir", str(settings.extensions))
        config = ("--config", str(settings.data / "config.yaml"))
        return _Installation(extension, (*command, *folders, *config), environment({}, terminal=False))


class _Installation:
    """The work of one job."""

    def __init__(self, extension: str, command: tuple[str, ...], whole: Mapping[str, str]) -> None:
        self._extension = extension
        self._command = command
        self._environment = whole

    async def run(self, job: JobHandle) -> None:
        """Run code-server's installer to its end. Raises HomeportError."""
        job.step(f"fetch {self._extension}")
        process = await asyncio.create_subprocess_exec(
            *self._command,
            cwd=Path("/"),
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(INSTALL_S):
                assert process.stdout is not None  # noqa: S101 - piped
                said = b""
                while piece := await process.stdout.read(MAX_OUTPUT):
                    said = (said + piece)[-MAX_OUTPUT:]
                code = await process.wait()
        except TimeoutError as error:
            raise HomeportError(
                f"{self._extension} was not installed within {INSTALL_S / 60:.0f} minutes",
                "install it in the editor, from the view of extensions",
            ) from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        text = said.decode("utf-8", "replace")
        job.line(text)
        if code != 0 or "Failed Installing" in text:
            raise HomeportError(
                f"{self._extension} could not be installed: its registry does not have it, or is not reached",
                "see the job's log; correct code_server_extensions, or install it in the editor",
            )
