"""The dev servers of a repo, of all that its files describe. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from homeportd.servers.detection import javascript, others, python
from homeportd.servers.detection.model import DetectedServer, Detection, Files, is_command

MAX_SERVERS: Final = 30  # of one repo


def detect(files: Files) -> Detection:
    """The servers of a repo, the main one first, each with a name of its own.

    What is written for development comes first: Procfile.dev, scripts, frameworks; a Procfile, a dev container and a
    Makefile count where a folder has nothing else.
    """
    found: list[DetectedServer] = []
    for folder in files.folders():
        here = others.detect_procfile(files, folder, development=True) or [
            *javascript.detect(files, folder),
            *python.detect(files, folder),
            *others.detect(files, folder),
        ]
        here = here or others.detect_procfile(files, folder, development=False)
        if not folder:
            here = here or others.detect_devcontainer(files)
        found += here or others.detect_makefile(files, folder)
    found = [server for server in found if is_command(server.command)][:MAX_SERVERS]
    forwarded = others.forwarded_port(files)
    if found and forwarded is not None and found[0].preferred_port is None:
        found[0] = replace(found[0], preferred_port=forwarded)
    return Detection(_named_apart(found), others.compose_files(files))


def _named_apart(found: list[DetectedServer]) -> tuple[DetectedServer, ...]:
    """The servers with different names: a number follows one that is taken."""
    taken: set[str] = set()
    named = []
    for server in found:
        name, number = server.name, 2
        while name in taken:
            name, number = f"{server.name[:60]}-{number}", number + 1
        taken.add(name)
        named.append(replace(server, name=name))
    return tuple(named)
