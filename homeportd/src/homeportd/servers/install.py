"""Installation of a server's dependencies, as a job: the package manager's output is the job's log."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

from homeportd.errors import HomeportError
from homeportd.jobs.model import Job
from homeportd.jobs.service import JobHandle, Jobs
from homeportd.processes.environment import environment as user_environment
from homeportd.repos.model import Repo
from homeportd.servers.catalog import dependencies_of
from homeportd.servers.dependencies import Missing, missing
from homeportd.servers.detection.snapshot import snapshot
from homeportd.servers.environment import environment
from homeportd.servers.model import Server
from homeportd.servers.service import Servers, refuse_foreign
from homeportd.servers.text import plain

MAX_LINE: Final = 16 * 1024  # bytes
INSTALL_S: Final = 3600.0  # for an installation
STOP_S: Final = 5.0  # from SIGTERM to SIGKILL


async def lacking(server: Server) -> Missing | None:
    """The dependencies that a server lacks now."""

    def look() -> Missing | None:
        files = snapshot(server.repo)
        folder = dependencies_of(files, server.directory, server.source)
        return missing(server.repo, files, folder, server.source)

    return await asyncio.to_thread(look)


async def install(job: JobHandle, repo: Path, lack: Missing) -> None:
    """Run the package manager in a process group of its own, which ends with the job. Raises HomeportError."""
    job.step(lack.command)
    process = await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        lack.command,
        cwd=repo / lack.directory,
        env={**user_environment({}, terminal=False), **await asyncio.to_thread(environment, None), "CI": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        limit=MAX_LINE,
    )
    last = ""
    try:
        async with asyncio.timeout(INSTALL_S):
            assert process.stdout is not None  # noqa: S101 - piped
            while line := await _line(process.stdout):
                text = plain(line.decode("utf-8", "replace"))
                last = text or last
                job.line(text)
            code = await process.wait()
    except TimeoutError as error:
        raise HomeportError(
            f"{lack.command} did not end within {INSTALL_S / 60:.0f} minutes", "run it in a terminal"
        ) from error
    finally:
        await _end(process)
    if code != 0:
        missing_program = code == 127
        fix = (
            f"install {lack.command.split()[0]} on this machine, then try again"
            if missing_program
            else f"read the job's log, then run it yourself in {repo / lack.directory}"
        )
        raise HomeportError(f"{lack.command} failed with code {code}: {last}"[:500], fix)


async def _line(stream: asyncio.StreamReader) -> bytes:
    """The next line, of a long one its beginning; empty at the end."""
    try:
        return await stream.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError as error:
        return await stream.read(max(1, error.consumed))


async def _end(process: asyncio.subprocess.Process) -> None:
    """End what is left of the process group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_S):
            await process.wait()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


class Installs:
    """Starts of servers whose dependencies are installed first."""

    def __init__(self, servers: Servers, jobs: Jobs) -> None:
        self._servers = servers
        self._jobs = jobs

    async def start(
        self, repo: Repo, name: str | None, *, command: str | None = None, port: int | None = None
    ) -> tuple[Job | None, Server]:
        """Install what a server lacks by a job, which then starts it; where it lacks nothing, start it at once.

        Raises Problem as `Servers.begin` and `Jobs.start` do.
        """
        refuse_foreign(repo)
        server = await self._servers.find(repo, name, command=command)
        lack = await lacking(server)
        if lack is None:
            return None, await self._servers.begin(repo, server.name, command=command, port=port)

        async def work(job: JobHandle) -> None:
            await install(job, repo.path, lack)
            job.step(f"start {server.name}")
            await self._servers.catalog.look(repo.path, fresh=True)
            await self._servers.begin(repo, server.name, command=command, port=port)

        title = f"Install dependencies of {repo.id} and start {server.name}"
        return await self._jobs.start("install", title, repo.id, work, exclusive=True), server
