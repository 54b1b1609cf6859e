"""The part of a workstation that runs the editor."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from fastapi import APIRouter

from homeportd.assembly.core import Core
from homeportd.editor import api as editor_api
from homeportd.editor.extensions import Extensions
from homeportd.editor.preferences import SECTION, EditorPreferences
from homeportd.editor.service import Editor
from homeportd.ports.service import Ports
from homeportd.processes.service import Processes
from homeportd.repos.service import Repos

IDLE_S: Final = 30.0  # between two looks whether the editor is idle


async def open_editor(
    core: Core, processes: Processes, ports: Ports, repos: Repos, stack: AsyncExitStack
) -> tuple[Editor | None, APIRouter]:
    """The editor, None where none is installed, and its routes; `stack` closes what is opened."""
    settings, origin = core.settings, core.settings.origins
    assert origin is not None  # noqa: S101 - a workstation has one
    core.preferences.declare(SECTION, EditorPreferences)

    def folder_of(repo: str) -> Path:
        return repos.get(repo).path

    def listening() -> set[int]:
        """The pids of the processes that have a port."""
        programs = [program for port in ports.snapshot().values() for program in port.programs]
        return {program.owner.pid for program in programs if program.owner is not None}

    editor = None
    if settings.editor is not None:
        editor = Editor(
            settings.editor,
            processes,
            Extensions(settings.editor, core.jobs),
            core.preferences,
            settings.socket("editor"),
            origin,
            settings.repo_root,
            listening,
        )
        await editor.take_up()
        stack.push_async_callback(editor.close)
    return editor, editor_api.router(editor, folder_of, core.guard, origin)
