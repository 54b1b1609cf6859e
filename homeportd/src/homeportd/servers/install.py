"""Installation of a server's dependencies, as a job: the package manager's output is the job's log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from homeportd.errors import HomeportError
from homeportd.jobs.model import Job
from homeportd.jobs.service import JobHandle, Jobs
from homeportd.processes.model import ProcessSpec
from homeportd.processes.service import Processes
from homeportd.repos.model import Repo
from homeportd.servers.catalog import dependencies_of
from homeportd.servers.dependencies import Missing, missing
from homeportd.servers.detection.snapshot import snapshot
from homeportd.servers.environment import environment
from homeportd.servers.model import Server
from homeportd.servers.service import Servers, refuse_foreign
from homeportd.servers.text import plain

MAX_LINE: Final = 16 * 1024  # bytes of a line that has not ended
INSTALL_S: Final = 3600.0  # for an installation


async def lacking(server: Server) -> Missing | None:
    """The dependencies that a server lacks now."""

    def look() -> Missing | None:
        files = snapshot(server.repo)
        folder = dependencies_of(files, server.directory, server.source)
        return missing(server.repo, files, folder, server.source)

    return await asyncio.to_thread(look)


async def install(job: JobHandle, processes: Processes, server: Server, lack: Missing) -> None:
    """Run the package manager as servers run, outside the agent; it ends with the job. Raises HomeportError."""
    job.step(lack.command)
    id_ = f"install-{server.id}"
    folder = server.repo / lack.directory
    await processes.remove(id_)  # that of a job which the end of an agent has cut
    spec = ProcessSpec(
        id=id_,
        argv=("/bin/sh", "-c", lack.command),
        directory=folder,
        environment={**await asyncio.to_thread(environment, None), "CI": "1"},
        terminal=False,
    )
    last = ""
    try:
        process = await processes.start(spec)
        async with asyncio.timeout(INSTALL_S):
            async for text in _lines(processes, id_, process.output_from):
                last = text or last
                job.line(text)
        ended = processes.get(id_)
    except TimeoutError as error:
        raise HomeportError(
            f"{lack.command} did not end within {INSTALL_S / 60:.0f} minutes", "run it in a terminal"
        ) from error
    finally:
        await asyncio.shield(processes.remove(id_))
    found = ended.exit if ended is not None else None
    code = found.code if found is not None else None
    if code == 127:
        fix = f"install {lack.command.split()[0]} on this machine, then try again"
    else:
        fix = f"read the job's log, then run it yourself in {folder}"
    if code != 0:
        how = f"code {code}" if code is not None else "a signal"
        raise HomeportError(f"{lack.command} failed with {how}: {last}"[:500], fix)


async def _lines(processes: Processes, id_: str, since: int) -> AsyncIterator[str]:
    """The lines that a process prints until it has ended, fit to be shown."""
    partial = b""
    async for chunk in processes.output(id_, since):
        *lines, partial = (partial + chunk.data).split(b"\n")
        for line in lines:
            yield plain(line.decode("utf-8", "replace"))
        partial = partial[-MAX_LINE:]
    if partial:
        yield plain(partial.decode("utf-8", "replace"))


class Installs:
    """Starts of servers whose dependencies are installed first."""

    def __init__(self, servers: Servers, jobs: Jobs, processes: Processes) -> None:
        self._servers = servers
        self._processes = processes
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
            await install(job, self._processes, server, lack)
            job.step(f"start {server.name}")
            await self._servers.catalog.look(repo.path, fresh=True)
            await self._servers.begin(repo, server.name, command=command, port=port)

        title = f"Install dependencies of {repo.id} and start {server.name}"
        return await self._jobs.start("install", title, repo.id, work, exclusive=True), server
