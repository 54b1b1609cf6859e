"""All servers in memory: those that repos' files describe, and those that are stored."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from homeportd.servers.dependencies import missing
from homeportd.servers.detection.detect import detect
from homeportd.servers.detection.javascript import scripts
from homeportd.servers.detection.model import Files
from homeportd.servers.detection.snapshot import snapshot
from homeportd.servers.model import Server, server_id
from homeportd.signal import Signal

FRESH_S: Final = 5.0  # for which a look at a repo's files counts
AGAIN_S: Final = 10.0  # after which a repo without a server is looked at again
LOOKS: Final = 2  # at repos, at once


@dataclass(frozen=True)
class Look:
    """What the files of a repo said at `at` (the loop's clock)."""

    at: float
    compose_files: tuple[str, ...]
    order: tuple[str, ...]  # ids, the main server first


class Catalog:
    """Servers by id. `changed` is emitted with each one that looks different."""

    def __init__(self) -> None:
        self.changed: Signal[[Server]] = Signal()
        self._servers: dict[str, Server] = {}
        self._looks: dict[Path, Look] = {}
        self._slots = asyncio.Semaphore(LOOKS)

    def get(self, server: str) -> Server | None:
        """The server of an id."""
        return self._servers.get(server)

    def all(self) -> list[Server]:
        """Every server, those of a repo together, the main one first."""
        return sorted(self._servers.values(), key=lambda each: (str(each.repo), self._rank(each), each.name))

    def of(self, repo: Path) -> list[Server]:
        """The servers of a repo, the main one first."""
        return [each for each in self.all() if each.repo == repo]

    def compose_files(self, repo: Path) -> tuple[str, ...]:
        """The compose files of a repo, as its last look found them."""
        look = self._looks.get(repo)
        return look.compose_files if look is not None else ()

    def numbers(self, other_than: str) -> frozenset[int]:
        """The numbers that other servers keep, or listen on."""
        taken: set[int] = set()
        for each in self._servers.values():
            if each.id != other_than:
                taken |= {*each.life.ports} | ({each.policy.port} if each.policy.port else set())
        return frozenset(taken)

    def put(self, server: Server) -> None:
        """Keep a server as it is now."""
        if self._servers.get(server.id) != server:
            self._servers[server.id] = server
            self.changed.emit(server)

    def drop(self, server: str) -> None:
        """Forget a server of which nothing is stored."""
        self._servers.pop(server, None)

    def is_new(self, repo: Path) -> bool:
        """Whether a repo was not looked at yet, or had no server when it was, AGAIN_S ago: a clone begins empty."""
        known = self._looks.get(repo)
        return known is None or (not known.order and known.at + AGAIN_S < asyncio.get_running_loop().time())

    async def look(self, repo: Path, *, fresh: bool = False) -> None:
        """Read the files of a repo, unless that was done FRESH_S ago (`fresh`: even then)."""
        now = asyncio.get_running_loop().time
        known = self._looks.get(repo)
        if known is not None and not fresh and known.at + FRESH_S > now():
            return
        async with self._slots:
            known = self._looks.get(repo)
            if known is not None and not fresh and known.at + FRESH_S > now():
                return
            found, compose = await asyncio.to_thread(_read, repo)
        self._looks[repo] = Look(now(), compose, tuple(each.id for each in found))
        for server in found:
            present = self._servers.get(server.id, server)
            described = {"detected": server.detected, "source": server.source, "missing": server.missing}
            self.put(
                replace(
                    present,
                    directory=server.directory,
                    preferred_port=server.preferred_port,
                    **described,  # type: ignore[arg-type]
                )
            )
        ids = {server.id for server in found}
        for server in self.of(repo):
            if server.id in ids:
                continue
            if server.created_at is None and not server.life.state.alive:
                self.drop(server.id)
            elif server.detected is not None:
                self.put(replace(server, detected=None, source="", missing=None))

    def forget(self, repos: set[Path]) -> None:
        """Forget what repos' files said that are not among these."""
        for path in self._looks.keys() - repos:
            del self._looks[path]
        for server in list(self._servers.values()):
            if server.repo not in repos and server.created_at is None:
                self.drop(server.id)

    def _rank(self, server: Server) -> int:
        look = self._looks.get(server.repo)
        return look.order.index(server.id) if look is not None and server.id in look.order else 1000


def _read(repo: Path) -> tuple[list[Server], tuple[str, ...]]:
    files = snapshot(repo)
    found = detect(files)
    servers = []
    for each in found.servers:
        lack = missing(repo, files, dependencies_of(files, each.directory, each.source), each.source)
        servers.append(
            Server(
                id=server_id(repo, each.name),
                repo=repo,
                name=each.name,
                directory=each.directory,
                detected=each.command,
                source=each.source,
                preferred_port=each.preferred_port,
                missing=lack.detail if lack is not None else None,
            )
        )
    return servers, found.compose_files


def dependencies_of(files: Files, directory: str, source: str) -> str:
    """The folder whose dependencies a server needs: that of its source, where it has a package.json."""
    folder = source.rpartition(":")[0].rpartition("/")[0]
    return folder if files.has(folder, "package.json") and source else directory


def read_scripts(repo: Path, directory: str) -> dict[str, str]:
    """The scripts of package.json that a command in this folder can run; blocking."""
    return scripts(snapshot(repo), directory)
