"""Two runs for one machine: the second is told whose the first is; the lock ends with its run, however that ends."""

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from .conftest import PLUGINS, plugin

WAIT_S = 30.0


@pytest.fixture(scope="module")
def action() -> ModuleType:
    return plugin("action.preflight")


@pytest.fixture
def target() -> str:
    """An address that no other test locks."""
    return f"192.0.2.1:{uuid.uuid4().hex}"


@pytest.fixture
def run() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that stands for ansible-playbook."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def ended(target: str, action: ModuleType) -> bool:
    """Whether nobody holds the lock any more; its holder ends right after its run."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(b"\0" + action.lock_name(target).encode())
            except OSError:
                time.sleep(0.02)
            else:
                return True
    return False


def test_the_second_run_is_told_about_the_first(
    action: ModuleType, target: str, run: "subprocess.Popen[bytes]"
) -> None:
    assert action.take_lock(target, run.pid) is None
    other = action.take_lock(target, os.getpid())
    assert (other["pid"], other["uid"]) == (run.pid, os.getuid())
    words = action.refusal(other, "this machine")
    assert f"under way: pid {run.pid} of " in words
    assert "since 20" in words
    assert f"fix: wait until it ends, or end it: kill {run.pid}" in words
    # Another name of the same machine, in the same run.
    assert action.take_lock(target, run.pid) is None
    # Another machine.
    assert action.take_lock(f"{target}0", run.pid) is None


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_run_that_was_killed_leaves_no_lock(
    action: ModuleType, target: str, run: "subprocess.Popen[bytes]", how: signal.Signals
) -> None:
    assert action.take_lock(target, run.pid) is None
    run.send_signal(how)
    run.wait(WAIT_S)
    assert ended(target, action)
    assert action.take_lock(target, os.getpid()) is None


def test_who_holds_it_is_the_kernels_word(action: ModuleType, target: str) -> None:
    """A process that names another one's run is named itself."""
    name = action.lock_name(target)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as liar:
        liar.bind(b"\0" + name.encode())
        liar.listen()
        holder = [sys.executable, str(PLUGINS / "plugin_utils/hold_lock.py"), name, str(os.getpid())]
        with subprocess.Popen(holder, stdout=subprocess.PIPE) as asking:
            connection, _ = liar.accept()
            connection.sendall(b"1\x1b[31m of nobody")
            connection.close()
            output, _ = asking.communicate(timeout=WAIT_S)
    # This process itself holds it, so that the one who asked for it takes the lock for its own.
    assert b'"held": true' in output


def test_a_silent_holder_is_found(action: ModuleType, target: str, run: "subprocess.Popen[bytes]") -> None:
    """One that took the name and never listens."""
    name = action.lock_name(target)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        silent.bind(b"\0" + name.encode())
        other = action.take_lock(target, run.pid)
    assert (other["pid"], other["uid"]) == (os.getpid(), os.getuid())


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"pid": None, "uid": None, "since": None}, "ss -xap"),
        ({"pid": 5, "uid": 4_000_000_000, "since": None}, "pid 5 of uid 4000000000"),
        ({"pid": None, "uid": 0, "since": None}, "a process of root in a container"),
    ],
)
def test_what_is_not_known_is_not_said(action: ModuleType, other: dict[str, Any], words: str) -> None:
    text = action.refusal(other, "vps")
    assert words in text
    assert "None" not in text
    assert text.startswith("error: another run for vps is under way")


def test_the_name_fits_and_tells_targets_apart(action: ModuleType) -> None:
    assert action.lock_name("local") == "homeport-run"
    names = {action.lock_name(f"host{number}.example.com:22") for number in range(100)}
    assert len(names) == 100
    assert max(map(len, names)) < 108
