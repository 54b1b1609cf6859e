"""Going from one release of the agent to another: its database, its files, its link.

Everything here runs on the target, so it keeps to the standard library.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.homeport.agent.plugins.module_utils.processes import Manager, run

RESTORE = "restore-database"
RESTORE_S = 600  # for a copy of a large database on a slow disk


class ReleaseError(Exception):
    """What could not be done, as `error: …` and `fix: …` say it."""


@dataclass(frozen=True)
class Releases:
    """The agent's releases below `software`; `user` runs the agent, and is empty where there is no root."""

    software: Path
    names: list[str]  # finished ones, the newest first
    user: str
    data: str

    def folder(self, name: str) -> Path:
        """Where a release is."""
        return self.software / "releases" / name

    def schema(self, name: str) -> int:
        """The number of migrations that a release knows, which is the schema of its database."""
        pattern = "lib/python3*/site-packages/homeportd/migrations/*.sql"
        return sum(1 for _unused in self.folder(name).glob(pattern))

    def restoring(self, name: str) -> list[str]:
        """The command that brings the database to a release: its own, or that of another one."""
        for other in [name, *self.names]:
            program = self.folder(other) / "bin" / "homeportd"
            known = run([str(program), RESTORE, "--help"])
            if known.returncode == 0:
                options = ["--data-dir", self.data, "--schema", str(self.schema(name)), "--json"]
                # The data are the agent's user's, and root neither reads nor writes below another's folder.
                as_user = ["runuser", "-u", self.user, "--"] if self.user else []
                return [*as_user, str(program), RESTORE, *options]
        return []

    def database(self, name: str, *options: str) -> dict[str, Any]:
        """Let the database be one that a release opens; what the command says. Raises ReleaseError."""
        command = self.restoring(name)
        if not command:
            return {"needed": False}  # all of them are older than the first migration with a copy
        result = run([*command, *options], RESTORE_S)
        if result.returncode:
            raise ReleaseError((result.stderr or result.stdout).strip())
        try:
            return dict(json.loads(result.stdout))
        except ValueError:
            raise ReleaseError(f"{command[0]} gave no JSON: {result.stdout[:200]!r}") from None

    def switch(self, name: str) -> None:
        """Let `current` lead to a release, at one instant."""
        link, fresh = self.software / "current", self.software / ".current.new"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(Path("releases") / name)
        fresh.replace(link)


def present(files: list[Path], services: list[str]) -> list[str]:
    """Those of the services that are installed: there is a file of their name."""
    found = {file.stem for file in files if file.is_file()}
    return [name for name in services if name in found]


def left_over(kept: Path, files: list[Path]) -> list[str]:
    """The names, without their endings, of files that came after the release was left."""
    return [file.stem for file in files if file.exists() and not (kept / file.name).is_file()]


def put_back(kept: Path, files: list[Path]) -> None:
    """Replace files by those that a release was left with, and remove those that it had not."""
    for file in files:
        source = kept / file.name
        if source.is_file():
            fresh = file.with_name(f".{file.name}.new")
            shutil.copy2(source, fresh)
            fresh.replace(file)
        else:
            file.unlink(missing_ok=True)


def keep(kept: Path, files: list[Path]) -> bool:
    """Keep the files that a release runs with, whole or not at all; nothing to do when it was being left already."""
    if kept.is_dir():
        return False
    fresh = kept.with_name(f".{kept.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o755)
    for file in files:
        if file.is_file():
            shutil.copy2(file, fresh / file.name)
    os.sync()
    fresh.rename(kept)
    return True


def bring_database(
    releases: Releases, manager: Manager, name: str, service: str, source: str, *, dry: bool
) -> dict[str, Any]:
    """Bring the database to a release, with the agent stopped while it is replaced; what the command says."""
    options = ["--source", source] if source else []
    plan = releases.database(name, "--check", *options)
    if dry or not plan["needed"]:
        return plan
    if problem := manager.stop(service):
        raise ReleaseError(problem)
    return releases.database(name, *options)
