"""The folder of a process: what the agent writes for the runner, and what it reads of it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from homeportd.processes.model import (
    ID,
    Exit,
    Process,
    ProcessIdentity,
    ProcessSpec,
    ProcessState,
)
from homeportd.processes.runner import state as state_file
from homeportd.processes.runner.run import LOCK, OUTPUT, SPEC
from homeportd.processes.runner.state import StateFile
from homeportd.processes.runner.terminal import CONTROL, INPUT

MARK = "HOMEPORT_PROCESS"  # in the environment of a whole tree: `<id>/<run>`
NEVER_RAN = "its start was interrupted"
RUNNER_KILLED = "its runner was killed, so nobody saw how it ended"
SWITCHED_OFF = "the machine was switched off"
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})


@dataclass(frozen=True)
class ProcessFolder:
    """The folder `<data>/processes/<id>`. All methods block for a moment of disk."""

    path: Path

    @property
    def id(self) -> str:
        """The id of its process."""
        return self.path.name

    @property
    def output(self) -> str:
        """The folder of the output's segments."""
        return f"{self.path}/{OUTPUT}"

    @property
    def input(self) -> str:
        """The FIFO that takes what is typed."""
        return f"{self.path}/{INPUT}"

    @property
    def control(self) -> str:
        """The FIFO that takes the terminal's size."""
        return f"{self.path}/{CONTROL}"

    def write_spec(self, spec: ProcessSpec, run: str, environment: Mapping[str, str]) -> None:
        """Write what the runner shall run; `environment` is the whole one. Raises OSError."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        data = {
            "run": run,
            "written": time.time(),
            "argv": list(spec.argv),
            "directory": str(spec.directory),
            "environment": {**environment, MARK: self.mark(run)},
            "terminal": spec.terminal or spec.interactive,
            "interactive": spec.interactive,
            "columns": spec.size.columns,
            "rows": spec.size.rows,
            "stop_timeout_s": spec.stop_timeout_s,
        }
        new = self.path / f"{SPEC}.new"
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(data, file)
        new.replace(self.path / SPEC)

    def mark(self, run: str) -> str:
        """The value of HOMEPORT_PROCESS in the environment of a run."""
        return f"{self.id}/{run}"

    def spec(self) -> dict[str, Any] | None:
        """The spec of the last start; None where there is none that can be read."""
        return _read(self.path / SPEC)

    def process(self) -> Process | None:
        """The process of the last start, as its files and proc(5) show it; None where there never was one.

        A run whose runner is gone without a last word is `starting` or `running` still: `mend` is for it.
        """
        spec = self.spec()
        if spec is None:
            return None
        state = self._state(spec["run"])
        if state is None:
            return Process(self.id, spec["run"], ProcessState.STARTING, spec["written"])
        identity = _identity(state["process"])
        ended = state["ended"] is not None
        running = ProcessState.RUNNING if identity is not None else ProcessState.STARTING
        return Process(
            id=self.id,
            run=spec["run"],
            state=ProcessState.EXITED if ended else running,
            started_at=spec["written"],
            identity=identity,
            runner=_identity(state["runner"]),
            exit=None if state["exit"] is None else Exit(**state["exit"]),
            stopped=state["stopped"],
            output_from=state["output_from"],
        )

    def mend(self) -> bool:
        """Give a run whose runner is gone its last word: it ended, nobody saw how. Whether there was such a run.

        The lock tells: the kernel frees it with the runner. What the runner left is ended before (`orphans`).
        """
        spec = self.spec()
        if spec is None:
            return False
        with self._lock() as ours:
            if not ours:
                return False
            state = self._state(spec["run"])
            if state is not None and state["ended"] is not None:
                return False
            failure = NEVER_RAN
            if state is not None:
                failure = RUNNER_KILLED if state["boot"] == state_file.boot_id() else SWITCHED_OFF
            if state is None:
                state = StateFile(
                    run=spec["run"],
                    boot=state_file.boot_id(),
                    runner=[],
                    process=None,
                    exit=None,
                    ended=None,
                    stopped=False,
                    output_from=0,
                )
            now = time.time()
            state["exit"] = state["exit"] or {"code": None, "signal": None, "at": now, "failure": failure}
            state["ended"] = now
            state_file.write(str(self.path), state, durable=True)
        return True

    def held(self) -> bool:
        """Whether a runner has the folder now."""
        with self._lock() as ours:
            return not ours

    def remove(self) -> None:
        """Remove it, with all output. Raises OSError."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self.path)

    @contextmanager
    def _lock(self) -> Iterator[bool]:
        """The runner's lock for a moment; False where a runner has it."""
        descriptor = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(descriptor)

    def _state(self, run: str) -> StateFile | None:
        found = _read(self.path / state_file.STATE)
        return cast(StateFile, found) if found is not None and found.get("run") == run else None


def folders(parent: Path) -> list[ProcessFolder]:
    """The folders of all processes ever started below `parent`, sorted by id."""
    try:
        found = sorted(parent.iterdir())
    except FileNotFoundError:
        return []
    return [ProcessFolder(path) for path in found if ID.fullmatch(path.name) and (path / SPEC).is_file()]


def put(path: str, data: bytes) -> bool:
    """Write `data` into a runner's FIFO; False where it is full. True where nobody reads any more.

    Up to PIPE_BUF (4096) bytes are taken whole or not at all.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return True
    try:
        os.write(descriptor, data)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return True


def _identity(pair: list[int] | None) -> ProcessIdentity | None:
    return ProcessIdentity(pair[0], pair[1]) if pair else None


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
