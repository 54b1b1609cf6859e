"""Clones that end early, by the command line: Ctrl-C, a killed agent, a full disk."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from ..freeports import free_ports
from ..installation import AGENT, Installation, program, socket_folder, wait_for
from .conftest import git, make
from .git_server import git_server

NAMESPACE = ("unshare", "--map-root-user", "--user", "--mount")


@pytest.fixture
def server(tmp_path):
    source = make(tmp_path / "source")
    (source / "large").write_bytes(os.urandom(3_000_000))
    git(source, "add", "large")
    git(source, "commit", "-q", "-m", "large")
    git(tmp_path, "clone", "-q", "--bare", str(source), "served/shop.git")
    with git_server(tmp_path / "served") as made:
        yield made


@pytest.fixture
def made(tmp_path):
    """An installation, whose agent does not run yet."""
    with socket_folder() as sockets:
        front, first = free_ports(2)
        installation = Installation(tmp_path, sockets, front, first, first)
        installation.configure()
        yield installation
        installation.end()


def begin(made, *arguments):
    return subprocess.Popen(
        [program("homeport"), *arguments],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "HOMEPORT_CONFIG": str(made.config)},
    )


def left(made):
    return [path.name for path in (made.folder / "repos").iterdir()]


def test_ctrl_c_cancels_and_leaves_nothing(made, server) -> None:
    made.start_agent()
    server.hold.clear()
    with begin(made, "clone", f"{server.url}/shop.git") as clone:
        assert server.asked.wait(60)
        clone.send_signal(signal.SIGINT)
        output, errors = clone.communicate(timeout=60)

    assert (clone.returncode, output) == (130, "")
    assert "error: cancelled: clone of" in errors
    assert left(made) == []
    server.hold.set()
    with begin(made, "jobs", "1") as jobs:
        output, _ = jobs.communicate(timeout=60)
    assert f"clone of {server.url}/shop.git: cancelled" in output


def test_a_killed_agent_cuts_the_job_and_the_next_one_cleans_up(made, server) -> None:
    made.start_agent()
    server.hold.clear()
    server_address = {"address": f"{server.url}/shop.git"}
    assert made.call("POST", "/api/repos", server_address)["state"] in ("queued", "running")
    assert server.asked.wait(60)
    made.stop("agent", signal.SIGKILL)
    assert left(made) != []

    made.start_agent()

    (job,) = made.call("GET", "/api/jobs")
    assert job["state"] == "cut"
    assert left(made) == []
    server.hold.set()
    made.call("POST", "/api/repos", server_address)
    wait_for(lambda: made.call("GET", "/api/jobs/2")["state"] == "done", "the second try")
    assert left(made) == ["shop"]


def has_namespaces():
    return (
        shutil.which("unshare") is not None
        and subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0
    )


@pytest.mark.skipif(not has_namespaces(), reason="mounts a file system in a namespace of its own")
def test_a_full_disk_is_a_sentence(made, server) -> None:
    repos = made.folder / "repos"
    serve = f"{program('python3')} {AGENT} serve --config {made.config} --allow-root"
    made.start(
        "agent",
        *(*NAMESPACE, "sh", "-c", f"mount -t tmpfs -o size=1m none {repos} && exec {serve}"),
        env={**os.environ, "HOME": str(made.folder)},
    )
    made.wait("agent", made.answers)
    with begin(made, "clone", f"{server.url}/shop.git") as clone:
        _, errors = clone.communicate(timeout=60)

    assert clone.returncode == 1
    assert "error: the disk is full" in errors
    assert not list(Path(f"/proc/{made.programs['agent'].pid}/root{repos}").iterdir())
