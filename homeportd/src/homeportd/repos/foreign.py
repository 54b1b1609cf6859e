"""Working trees that the agent may not enter, as the owner reader tells of them."""

from __future__ import annotations

import asyncio
import os
import pwd
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from homeportd.accounts import own_name
from homeportd.repos.model import WorkingTree, handover

MAX_FOLDERS = 64  # that are asked about


class Reader(Protocol):
    """Looks where the agent may not; around folders of listeners that it has itself told the agent of."""

    async def tree(self, folder: Path) -> WorkingTree | None:
        """The working tree around a folder, None where there is none. Raises OSError without an answer."""

    async def dirty(self, folder: Path) -> bool | None:
        """Whether the working tree around a folder has changes, None if unknown. Raises OSError without an answer."""


class Foreign:
    """What the reader told, by the folder that it was asked about."""

    def __init__(self, reader: Reader | None) -> None:
        self._reader = reader
        self._told: dict[Path, WorkingTree] = {}

    def places(self) -> tuple[WorkingTree, ...]:
        """All trees, each once."""
        return tuple({place.path: place for place in self._told.values()}.values())

    async def look(self, folders: Iterable[Path]) -> None:
        """Ask about each folder; those that are not named any more are forgotten."""
        wanted = sorted(folders)[:MAX_FOLDERS]
        self._told = {folder: place for folder, place in self._told.items() if folder in wanted}
        if self._reader is None or not wanted:
            return
        async with asyncio.TaskGroup() as group:
            for folder in wanted:
                group.create_task(self._ask(self._reader, folder))

    async def _ask(self, reader: Reader, folder: Path) -> None:
        try:
            place = await reader.tree(folder)
        except OSError:
            return  # what was told holds until the next answer
        self._told.pop(folder, None)
        if place is not None:
            self._told[folder] = place

    async def dirty(self, path: Path, folders: Iterable[Path]) -> bool | None:
        """Whether the tree at a path has changes; asked by one of the folders of listeners in it. Raises OSError."""
        asked = [folder for folder, place in self._told.items() if place.path == path]
        asked += [folder for folder in folders if not asked and folder.is_relative_to(path)]
        if self._reader is None or not asked:
            return None
        return await self._reader.dirty(asked[0])


def handovers(root: Path, places: Iterable[WorkingTree]) -> dict[Path, tuple[tuple[str, ...], ...]]:
    """How each of these trees that is not the agent's becomes the agent's. Reads the disk: for a thread."""
    others = [place for place in places if place.uid != os.getuid()]
    if not others:
        return {}
    homes = frozenset(Path(account.pw_dir) for account in pwd.getpwall())
    found = {}
    for place in others:
        reachable = os.access(place.path.parent, os.X_OK)
        target = root / place.path.name
        count = 2
        while os.path.lexists(target):
            target = root / f"{place.path.name}-{count}"
            count += 1
        found[place.path] = handover(place, own_name(), reachable, target, homes)
    return found
