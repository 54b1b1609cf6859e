"""Archives of upstream releases, unpacked below one folder and nowhere else.

Files, folders, and links that stay within the folder come out of an archive; anything else in it is refused. Everything
here runs on the target, so it keeps to the standard library.
"""

from __future__ import annotations

import os
import posixpath
import shutil
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import IO

MOST_FILES = 100_000
MOST_BYTES = 4 * 1024**3
CHUNK = 1024 * 1024  # bytes
TAR_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".txz")


class ArchiveError(Exception):
    """What is wrong with an archive, one line."""


def kind_of(name: str) -> str:
    """How a file is packed, by its name: tar, zip, or plain for a program as it is."""
    if name.lower().endswith(TAR_ENDINGS):
        return "tar"
    return "zip" if name.lower().endswith(".zip") else "plain"


def unpack(archive: Path, kind: str, folder: Path) -> None:
    """Unpack a tar or zip file into an empty folder. Raises ArchiveError, OSError."""
    target = _Target(folder)
    try:
        if kind == "tar":
            with tarfile.open(archive, "r:*") as tar:
                for entry in tar:
                    _add_from_tar(target, tar, entry)
        else:
            with zipfile.ZipFile(archive) as packed:
                for info in packed.infolist():
                    _add_from_zip(target, packed, info)
        target.link()
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        EOFError,
        zlib.error,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise ArchiveError(f"it is no whole {kind} file: {error}") from error


class _Target:
    """A folder that is filled, within limits. Links are made last, so that nothing is written through one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._links: dict[str, str] = {}
        self._files = 0
        self._room = MOST_BYTES

    def _inside(self, name: str) -> Path:
        clean = posixpath.normpath(name)
        if posixpath.isabs(clean) or clean == ".." or clean.startswith("../") or "\0" in clean:
            raise ArchiveError(f"it has {name!r}, which lies outside")
        self._files += 1
        if self._files > MOST_FILES:
            raise ArchiveError(f"it has more than {MOST_FILES} files")
        return self._folder / clean

    def add_folder(self, name: str) -> None:
        self._inside(name).mkdir(mode=0o755, parents=True, exist_ok=True)

    def add_file(self, name: str, source: IO[bytes], executable: bool) -> None:
        path = self._inside(name)
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with path.open("wb") as file:
            while chunk := source.read(CHUNK):
                self._room -= len(chunk)
                if self._room < 0:
                    raise ArchiveError(f"it has more than {MOST_BYTES // 1024**3} GiB")
                file.write(chunk)
        path.chmod(0o755 if executable else 0o644)

    def add_link(self, name: str, target: str) -> None:
        """A link to something within the folder; `target` is relative to where the link is."""
        self._inside(posixpath.join(posixpath.dirname(posixpath.normpath(name)), target))
        self._inside(name)
        if posixpath.isabs(target):
            raise ArchiveError(f"it has the link {name!r} to {target!r}, which lies outside")
        self._links[posixpath.normpath(name)] = target

    def link(self) -> None:
        """Make the links, and see that each leads to something that was unpacked."""
        for name, target in self._links.items():
            path = self._folder / name
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            if os.path.lexists(path):
                raise ArchiveError(f"it has {name!r} twice")
            path.symlink_to(target)
        root = os.path.realpath(self._folder)
        for name in self._links:
            if not os.path.realpath(self._folder / name).startswith(f"{root}/"):
                raise ArchiveError(f"it has the link {name!r}, which leads outside")


def _add_from_tar(target: _Target, tar: tarfile.TarFile, entry: tarfile.TarInfo) -> None:
    if entry.isdir():
        target.add_folder(entry.name)
    elif entry.isreg():
        source = tar.extractfile(entry)
        if source is not None:
            target.add_file(entry.name, source, bool(entry.mode & 0o111))
    elif entry.issym():
        target.add_link(entry.name, entry.linkname)
    elif entry.islnk():
        target.add_link(entry.name, posixpath.relpath(entry.linkname, posixpath.dirname(entry.name) or "."))
    else:
        raise ArchiveError(f"it has {entry.name!r}, which is neither a file nor a folder")


def _add_from_zip(target: _Target, packed: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    mode = info.external_attr >> 16
    if info.is_dir():
        target.add_folder(info.filename)
    elif stat.S_ISLNK(mode):
        target.add_link(info.filename, packed.read(info, None)[:4096].decode())
    else:
        with packed.open(info) as source:
            target.add_file(info.filename, source, bool(mode & 0o111))


def place_program(folder: Path, program: str, name: str) -> None:
    """Let bin/NAME be the program of an unpacked release: a path in it, or else its only file of that name.

    Raises ArchiveError.
    """
    found = [program] if program else _named(folder, name)
    if len(found) != 1 or not (folder / found[0]).is_file():
        there = ", ".join(sorted(entry.name for entry in folder.iterdir())[:10])
        wanted = program or f"one file {name}"
        raise ArchiveError(f"it does not have {wanted}, but {there}; `program` is the path in it")
    (folder / found[0]).chmod(0o755)
    link = folder / "bin" / name
    if not os.path.lexists(link):
        link.parent.mkdir(mode=0o755, exist_ok=True)
        link.symlink_to(os.path.relpath(folder / found[0], link.parent))


def _named(folder: Path, name: str) -> list[str]:
    return [
        str(Path(top, name).relative_to(folder)) for top, _unused, files in os.walk(folder) if name in files
    ]


def take_plain(file: Path, folder: Path, name: str) -> None:
    """Let bin/NAME be a program that is not packed."""
    target = folder / "bin" / name
    target.parent.mkdir(mode=0o755, exist_ok=True)
    shutil.copyfile(file, target)
    target.chmod(0o755)
