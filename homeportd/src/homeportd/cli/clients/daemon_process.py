"""The tunnel daemon as a process: started by a service manager or by itself, waited for, and ended."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Final

import psutil

from homeportd.cli.clients import daemon_client
from homeportd.cli.errors import REFUSED, UNREACHABLE, Failure
from homeportd.cli.service_managers.manager import Manager
from homeportd.tunnels import background
from homeportd.tunnels.state import DaemonFiles
from homeportd.tunnels.status import DaemonStatus

START_S: Final = 15.0  # for a daemon to answer
STOP_S: Final = 15.0  # for a daemon to end, before it is killed
ANSWER_S: Final = 5.0  # for its status
STEP_S: Final = 0.05
MAX_LOG: Final = 4096  # characters at the end of the log in which a reason is looked for


def start(manager: Manager | None, files: DaemonFiles) -> DaemonStatus:
    """Start the daemon, by a service manager or as a process of its own; its status. Raises Failure."""
    if manager is None:
        return _wait_for_start(_spawn(files.log), files.log, f"tail {shlex.quote(str(files.log))}")
    manager.start(_command(), files.log)
    return _wait_for_start(None, files.log, manager.where(files.log))


def end(process: psutil.Process | None) -> None:
    """Ask the daemon to end, and wait until it has; a process that does not is killed. Raises Failure."""
    asked = False
    try:
        if status() is not None:
            daemon_client.stop(ANSWER_S)
            asked = True
    except Failure:  # it hangs, or goes at this very moment
        if process is None:
            raise
    if not asked and process is not None and _is_alive(process):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    deadline = time.monotonic() + STOP_S
    while _is_listening() or (process is not None and _is_alive(process)):
        if time.monotonic() > deadline:
            if process is None:
                raise Failure("the daemon does not stop", "see its log: homeport daemon status", REFUSED)
            with contextlib.suppress(psutil.Error):
                process.kill()  # known by its pid and start time: it is no other
                process.wait(STOP_S)
            break
        time.sleep(STEP_S)


def status() -> DaemonStatus | None:
    """The daemon's status; None when it does not run. Raises Failure when it does not answer."""
    try:
        return daemon_client.status(ANSWER_S)
    except daemon_client.NoDaemon:
        return None


def _is_listening() -> bool:
    """Whether a daemon takes requests, though it may not answer them."""
    try:
        return status() is not None
    except Failure:
        return True


def _command() -> list[str]:
    """The command that runs the daemon with this very program, whatever PATH is by then."""
    return [sys.executable, "-P", "-m", "homeportd.cli", "daemon", "run"]  # -P: nothing of the current folder


def _spawn(log: Path) -> int:
    """Double-fork a daemon; returns its pid. A new program is executed, so that no thread and no lock is inherited."""
    pid = background.detach(log)
    if pid is not None:
        return pid
    try:
        os.execv(sys.executable, [*_command(), "--log", str(log)])  # noqa: S606 - our own program
    except OSError as error:
        sys.stderr.write(f"error: cannot start {sys.executable}: {error}\n")
        sys.stderr.flush()
    os._exit(1)


def _wait_for_start(pid: int | None, log: Path, where: str) -> DaemonStatus:
    """The status of the daemon that was started. Raises Failure.

    `pid`: its process, where no manager has it; `where`: the command that shows its log.
    """
    deadline = time.monotonic() + START_S
    reason = ""
    while time.monotonic() < deadline:
        found = status()
        if found is not None:
            return found
        if pid is not None and not _runs(pid):
            last = log.read_text(errors="replace")[-MAX_LOG:].rpartition("error: ")[2]
            reason = f": {last.splitlines()[0]}" if last else ""
            break
        time.sleep(STEP_S)
    raise Failure(f"the daemon did not start{reason}", f"see more: {where}", UNREACHABLE)


def _runs(pid: int) -> bool:
    try:
        return _is_alive(psutil.Process(pid))
    except psutil.Error:
        return False


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
