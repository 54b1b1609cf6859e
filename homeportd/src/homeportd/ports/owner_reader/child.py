"""A child process for one piece of work with the rights of one user, limited in what it may do and for how long."""

from __future__ import annotations

import json
import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from homeportd import json_text
from homeportd.ports.owner_reader import privileges
from homeportd.ports.owner_reader.protocol import MAX_LINE

# Nothing of root's environment is handed on. There is no home, so that git reads no configuration of a person, and
# what the machine's configuration may name (filters) is not run in anybody's name either.
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin:/usr/local/bin",
    "HOME": "/nonexistent",
    "LC_ALL": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
}
KEPT = ("TMPDIR",)  # the unit has a place for files that every user may write
END_S = 1.0  # for a child that was killed


def in_child(uid: int, work: Callable[[], Any], seconds: float) -> Any:
    """The JSON value that `work` returns as that user; None when it fails, is killed, or takes longer.

    For a process of root's without threads. A child that hangs in the kernel is left to the kernel.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _child(uid, work, seconds, writing)
    os.close(writing)
    try:
        data = _read(reading, time.monotonic() + seconds)
    finally:
        os.close(reading)
        _end(pid)
    try:
        return json_text.loads(data) if data else None
    except ValueError:
        return None


def _child(uid: int, work: Callable[[], Any], seconds: float, writing: int) -> None:
    try:
        # Sent by the kernel itself, so it ends this process whoever stopped it; and git with it, by its own limit.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        privileges.limit()
        privileges.become(uid)
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        os.environ.clear()
        os.environ.update({**ENVIRONMENT, **kept})
        os.chdir("/")
        data = json.dumps(work()).encode()
        while data:
            data = data[os.write(writing, data) :]
    except BaseException:
        os._exit(1)
    os._exit(0)


def _read(reading: int, until: float) -> bytes:
    """The bytes that the child wrote before it ended; empty when they are too many or too late."""
    data = b""
    while len(data) <= MAX_LINE:
        left = until - time.monotonic()
        if left <= 0 or not select.select([reading], [], [], left)[0]:
            return b""
        part = os.read(reading, 64 * 1024)
        if not part:
            return data
        data += part
    return b""


def _end(pid: int) -> None:
    with suppress(OSError):
        os.kill(pid, signal.SIGKILL)  # it has nothing left to do, or has had its time
    until = time.monotonic() + END_S
    while os.waitpid(pid, os.WNOHANG) == (0, 0) and time.monotonic() < until:
        time.sleep(0.005)
