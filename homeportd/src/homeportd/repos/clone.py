"""Cloning a repository: a job that ends with a whole repo below the repo root, or leaves nothing."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from homeportd.errors import HomeportError, Problem, invalid
from homeportd.jobs.model import Job
from homeportd.jobs.service import JobHandle, Jobs
from homeportd.repos import address as addresses
from homeportd.repos import files
from homeportd.repos.address import Address
from homeportd.repos.credentials import Credentials
from homeportd.repos.discovery import DEPTH, SKIPPED
from homeportd.repos.git import progress
from homeportd.repos.git.command import Git, GitError
from homeportd.repos.git.errors import explain
from homeportd.repos.model import ids
from homeportd.repos.removal import REMOVED
from homeportd.repos.service import Repos
from homeportd.repos.ssh_key import SshKeys
from homeportd.repos.user_config import UserConfig

KIND: Final = "clone"
TEMPORARY: Final = ".homeport-clone-"  # prefix of the folder beside the target
MAX_NAME: Final = 200  # bytes of a folder's name
MAX_LEFTOVERS: Final = 4096  # folders that are looked through for what a killed agent left
_POINTER: Final = b"version https://git-lfs.github.com/spec/"
MAX_POINTERS: Final = 10_000  # files of LFS that are looked at


@dataclass(frozen=True)
class CloneRequest:
    """What to clone. `into`: a folder below the repo root, None: as the address says. `branch` None: the default."""

    address: str
    branch: str | None = None
    into: str | None = None
    submodules: bool = False


class Clones:
    """Starts clones."""

    def __init__(
        self,
        jobs: Jobs,
        repos: Repos,
        git: Git,
        credentials: Credentials,
        keys: SshKeys,
        user_config: UserConfig,
    ) -> None:
        self._jobs = jobs
        self._repos = repos
        self._git = git
        self._credentials = credentials
        self._keys = keys
        self._user_config = user_config

    async def start(self, request: CloneRequest) -> Job:
        """Begin to clone. Raises Problem: 422 for a wrong address, name or branch, 409 where something is there."""
        address = addresses.parse(request.address, self._credentials.github.url)
        if request.branch is not None and (
            request.branch.startswith("-") or not request.branch.isprintable()
        ):
            raise invalid(
                f"{request.branch[:200]!r} is no name of a branch", "git ls-remote --heads lists them"
            )
        root = self._repos.root
        target = _target(root, request.into or address.name)
        await asyncio.to_thread(_check_free, target, root, address)

        async def work(job: JobHandle) -> None:
            await self._clone(job, address, request, target)

        shown = addresses.shown(address)
        title = f"clone of {shown}"
        return await self._jobs.start(KIND, title, str(target.relative_to(root)), work, exclusive=True)

    async def remove_leftovers(self) -> None:
        """Remove what clones and removals of an agent that was killed have left below the repo root."""
        await asyncio.to_thread(_remove_leftovers, self._repos.root)

    async def _clone(self, job: JobHandle, address: Address, request: CloneRequest, target: Path) -> None:
        made: list[Path] = []
        await self._user_config.write()
        if address.scheme == "ssh":
            await self._keys.ensure()
        try:
            temporary = await asyncio.to_thread(_make_temporary, target, made)
            try:
                await self._fetch(job, address, request, temporary / "repo")
                for note in await self._notes(address, request, temporary / "repo"):
                    job.note(note)
                await asyncio.to_thread(_move, temporary / "repo", target)
            finally:
                # To the end, also when it is cancelled once more.
                await asyncio.shield(asyncio.to_thread(shutil.rmtree, temporary, ignore_errors=True))
        except OSError as error:
            await asyncio.to_thread(_remove_empty, made)
            raise _disk(error, target) from error
        except BaseException:
            await asyncio.shield(asyncio.to_thread(_remove_empty, made))
            raise
        await self._repos.look()
        repo = self._repos.at(target)
        if repo is not None:
            job.subject(repo.id)
        job.line(f"cloned into {target}")

    async def _fetch(self, job: JobHandle, address: Address, request: CloneRequest, folder: Path) -> None:
        branch = ["--branch", request.branch] if request.branch is not None else []
        # Templates may have hooks.
        options = ["--progress", "--template=", "--no-recurse-submodules", *branch]
        job.step(f"connecting to {address.netloc or address.url}")
        await self._run(job, address, "clone", *options, "--", address.url, folder)
        if request.submodules and (folder / ".gitmodules").is_file():
            job.step("fetching submodules")
            try:
                options = ["--init", "--recursive", "--progress"]
                await self._run(job, address, "submodule", "update", *options, folder=folder)
            except HomeportError as error:
                job.note(f"not all submodules could be fetched: {error.detail}")

    async def _run(
        self, job: JobHandle, address: Address, *arguments: str | Path, folder: Path | None = None
    ) -> None:
        last: progress.Step | None = None

        def said(line: str) -> None:
            nonlocal last
            step = progress.parse(line)
            if step is None:
                job.line(line)
                if "Permanently added" in line:
                    job.note(
                        f"the SSH host key of {address.host} was not known yet, and is trusted from now on"
                    )
                return
            if last is None or step.name != last.name:
                job.step(step.name)
            if step != last:
                job.progress(step.percent, 100, "%")
            last = step

        try:
            await self._git.run(*arguments, folder=folder, local=address.local, on_line=said)
        except GitError as error:
            raise explain(error.errors, self._credentials.remote(address)) from error

    async def _notes(self, address: Address, request: CloneRequest, folder: Path) -> list[str]:
        notes = []
        if address.dropped:
            notes.append("the user name in the address was left out: a token could stand there")
        if (folder / ".gitmodules").is_file() and not request.submodules:
            notes.append("it has submodules, which were not fetched: git submodule update --init --recursive")
        if (folder / ".git" / "shallow").is_file():
            notes.append("its history is not whole, since that of the source is not: git fetch --unshallow")
        if (
            not any((folder / ".git" / "refs").rglob("*"))
            and files.read(folder / ".git" / "packed-refs") is None
        ):
            notes.append("it is empty: nothing was committed to it yet")
        with suppress(GitError):
            listed = await self._git.run("ls-files", "-z", "--", ":(attr:filter=lfs)", folder=folder)
            pointers = await asyncio.to_thread(_count_pointers, folder, listed.split("\0")[:MAX_POINTERS])
            if pointers:
                files_are = "file is a pointer" if pointers == 1 else "files are pointers"
                notes.append(f"{pointers} {files_are} of Git LFS, without the content: git lfs pull")
        return notes


def _target(root: Path, text: str) -> Path:
    """The folder that a repo is to have. Raises Problem 422."""
    path = Path(text)
    fix = "homeport clone ADDRESS --into NAME, a name without / or one of up to three parts"
    if path.is_absolute():
        if not path.is_relative_to(root):
            raise invalid(f"{text[:300]} is not below {root}", fix)
        path = path.relative_to(root)
    parts = path.parts
    if not 1 <= len(parts) <= DEPTH or not text.isprintable():
        raise invalid(f"{text[:300]!r} is no name for a repo", fix)
    for part in parts:
        if part.startswith(".") or part in SKIPPED or len(os.fsencode(part)) > MAX_NAME:
            raise invalid(f"{part[:300]!r} is no name under which a repo would be found again", fix)
    return root / path


def _check_free(target: Path, root: Path, address: Address) -> None:
    """Raise Problem 409 where something is, or where a repo is around the target."""
    for folder in target.relative_to(root).parents:
        above = root / folder
        if above != root and files.git_dir(above) is not None:
            raise Problem(
                409, f"{target} would be inside the repo {above}", "choose another name with --into"
            )
    if not os.path.lexists(target):
        return
    folder_of_git = files.git_dir(target)
    if folder_of_git is not None:
        url = files.remote(files.config(files.common_dir(folder_of_git)))
        if url is not None and url.rstrip("/").removesuffix(".git") == address.url.rstrip("/").removesuffix(
            ".git"
        ):
            name = ids(target.parent, [target])[target]
            fix = f"homeport pull {name}, or another name with --into"
            raise Problem(409, f"it is cloned already, at {target}", fix)
    raise Problem(409, f"{target} exists already", "choose another name: homeport clone ADDRESS --into NAME")


def _make_temporary(target: Path, made: list[Path]) -> Path:
    """A folder beside the target; the folders above it that were missing are noted in `made`."""
    missing = []
    folder = target.parent
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for folder in reversed(missing):
        folder.mkdir()
        made.append(folder)
    return Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=target.parent))


def _move(source: Path, target: Path) -> None:
    if os.path.lexists(target):  # made meanwhile; rename would take an empty folder's place
        raise HomeportError(
            f"{target} was made by somebody else meanwhile", "choose another name with --into"
        )
    source.rename(target)


def _remove_empty(made: list[Path]) -> None:
    for folder in reversed(made):
        with suppress(OSError):
            folder.rmdir()


def _remove_leftovers(root: Path) -> None:
    for _, folder in zip(range(MAX_LEFTOVERS), _leftovers(root, DEPTH), strict=False):
        shutil.rmtree(folder, ignore_errors=True)


def _leftovers(folder: Path, depth: int) -> Iterator[Path]:
    try:
        entries = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir(follow_symlinks=False))
    except OSError:
        return
    for name in entries[:MAX_LEFTOVERS]:
        path = folder / name
        if name.startswith((TEMPORARY, REMOVED)):
            yield path
        elif depth > 1 and not name.startswith(".") and name not in SKIPPED and files.git_dir(path) is None:
            yield from _leftovers(path, depth - 1)


def _count_pointers(folder: Path, names: list[str]) -> int:
    count = 0
    for name in names:
        path = folder / name
        with suppress(OSError, ValueError):
            if name and not path.is_symlink() and path.is_file() and path.stat().st_size < 1024:
                count += path.read_bytes().startswith(_POINTER)
    return count


def _disk(error: OSError, target: Path) -> HomeportError:
    return HomeportError(
        f"{error.filename or target}: {error.strerror or error}",
        f"see to the room at {target.parent}, and that the agent's user may write there",
    )
