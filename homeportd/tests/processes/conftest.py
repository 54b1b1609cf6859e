"""Processes of a test: whatever runs still at its end is stopped."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from homeportd.processes.folder import MARK, folders
from homeportd.processes.launcher import DirectLauncher
from homeportd.processes.model import ProcessSpec, ProcessState
from homeportd.processes.orphans import end_orphans, send_to
from homeportd.processes.service import Processes


def python(id, code, tmp_path, **more):
    """The spec of a small Python program."""
    more.setdefault("stop_timeout_s", 5.0)
    return ProcessSpec(id, [sys.executable, "-I", "-S", "-u", "-c", code], tmp_path, **more)


def shell(id, code, tmp_path, **more):
    """The spec of a shell's line."""
    more.setdefault("stop_timeout_s", 5.0)
    return ProcessSpec(id, ["/bin/sh", "-c", code], tmp_path, **more)


async def ended(processes, id):
    """The process of an id once nothing of it is left."""
    async for _ in processes.output(id, (await processes.bounds(id))[1]):
        pass
    return processes.get(id)


async def said(processes, id, text):
    """Wait until an id's output holds `text`; everything it printed until then."""
    seen = b""
    async for chunk in processes.output(id):
        seen += chunk.data
        if text in seen:
            return seen
    raise AssertionError(f"{id} ended without {text!r}: {seen!r}")


@pytest.fixture
async def processes(tmp_path):
    """The room, in a folder of its own."""
    root = tmp_path / "processes"
    opened = Processes(root, DirectLauncher())
    await opened.open()
    yield opened
    await opened.close()
    end_all(root)


def end_all(root):
    """End everything that runs still in the folder of processes `root`."""
    for folder in folders(root):
        process = folder.process()
        if process is not None and process.state is not ProcessState.EXITED:
            send_to(process.runner, 9)
            end_orphans(MARK, folder.mark(process.run))


def exists(pid):
    """Whether a process is there, a zombie not counted."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def runner_of(processes, id):
    """The pid of an id's runner."""
    pid = processes.get(id).runner.pid
    assert pid not in {0, 1, os.getpid()}
    return pid
