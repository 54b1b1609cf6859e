"""Sharing what should not be: ports that Homeport does not look at, a debugger, a server without HTTP."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ..installation import Machine, machine
from .conftest import Homeport, offered

NODE = shutil.which("node")


@pytest.fixture(scope="module")
def whole() -> Iterator[Machine]:
    with tempfile.TemporaryDirectory(prefix="hp") as folder, machine(Path(folder)) as made:
        yield made


@pytest.fixture
def homeport(whole: Machine) -> Iterator[Homeport]:
    made = Homeport(whole.config)
    made.environment["HOME"] = str(whole.folder)
    yield made
    made.close()
    made("unshare", str(whole.free))


def seen(homeport: Homeport, port: int, pid: int) -> dict[str, Any]:
    """The port, as soon as the agent knows that this process has it."""
    end = time.monotonic() + 60
    while True:
        found = {one["port"]: one for one in json.loads(homeport("ports", "--json").stdout)}
        if port in found and found[port]["pid"] == pid:
            return dict(found[port])
        assert time.monotonic() < end, found
        time.sleep(0.05)


def mode_of(homeport: Homeport, port: int) -> str:
    found = {one["port"]: one for one in json.loads(homeport("ports", "--json").stdout)}
    return str(found[port]["share"]["mode"])


@contextmanager
def running(*command: str, env: dict[str, str] | None = None) -> Iterator[int]:
    """A program that has printed its first line; its pid."""
    process = subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield process.pid
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def inspector(whole: Machine, homeport: Homeport) -> Iterator[int]:
    """A real inspector of Node's; the value is its port."""
    if NODE is None:
        pytest.skip("left out: node is not installed")
    with running(NODE, f"--inspect=127.0.0.1:{whole.free}", "-e", "setInterval(() => {}, 1000)") as pid:
        assert seen(homeport, whole.free, pid)["caution"]
        yield whole.free


def test_a_port_outside_the_ranges_is_not_shared(homeport: Homeport, whole: Machine) -> None:
    for options in (("--public",), ("--password-stdin",), ()):
        done = homeport("share", "22", *options, input="open sesame\n")
        assert (done.returncode, done.stdout) == (1, "")
        assert f"outside the port ranges that Homeport looks at ({whole.dev}-{whole.free})" in done.stderr
        assert "fix: add it to homeport_port_ranges in the inventory and run bin/site" in done.stderr
    own = homeport("share", str(whole.front), "--public")
    assert (own.returncode, "one of Homeport's own" in own.stderr) == (1, True), own.stderr
    assert json.loads(homeport("ports", "--json").stdout)[0]["port"] == whole.dev
    doctor = homeport("doctor", "22")
    assert (doctor.returncode, "port 22 is outside the port ranges" in doctor.stdout) == (1, True)
    assert "outside the port ranges" in homeport("url", "22").stderr


def test_whoever_has_an_edge_is_told_of_the_way_without_ranges(homeport: Homeport, whole: Machine) -> None:
    account = whole.folder / ".config/homeport/edge.toml"
    account.parent.mkdir(parents=True)
    account.write_text('url = "https://tunnel.example.com"\ntoken = "hp_1"\n')
    account.chmod(0o600)
    try:
        done = homeport("share", "22", "--public")
        assert "fix: homeport tcp 22 needs no range; or add it to homeport_port_ranges" in done.stderr
        done = homeport("share", "80", "--public")
        assert "fix: homeport http 80 needs no range; or " in done.stderr
    finally:
        account.unlink()


def test_shares_outside_narrowed_ranges_are_shown_as_what_they_are(
    homeport: Homeport, whole: Machine
) -> None:
    assert homeport("share", str(whole.free), "--public").returncode == 0
    before = whole.config.read_text()
    whole.stop("agent")
    whole.config.write_text(before.replace(f"{whole.dev}-{whole.free}", str(whole.dev)))
    try:
        whole.start_agent()
        lines = homeport("ports").stdout.splitlines()
        assert any(f"{whole.free}  outside the port ranges" in line and "public" in line for line in lines), (
            lines
        )
        assert whole.visit(whole.free) == 502
        refused = homeport("share", str(whole.free), "--expires", "1h")
        assert (refused.returncode, "outside the port ranges" in refused.stderr) == (1, True)
        private = homeport("share", str(whole.free), "--private")
        assert (private.returncode, "leads nowhere: outside the port ranges" in private.stdout) == (0, True)
        assert homeport("unshare", str(whole.free)).returncode == 0
        assert str(whole.free) not in homeport("ports").stdout
    finally:
        whole.stop("agent")
        whole.config.write_text(before)
        whole.start_agent()


def test_a_debugger_is_public_for_those_alone_who_say_so(homeport: Homeport, inspector: int) -> None:
    warning = f"warning: Port {inspector} is Node's inspector: whoever can open it can run any program here"
    refused = homeport("share", str(inspector), "--public")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert warning in refused.stderr
    assert "fix: let in who knows a password" in refused.stderr
    assert mode_of(homeport, inspector) == "private"
    with_password = homeport("share", str(inspector), "--password-stdin", input="open sesame\n")
    assert (with_password.returncode, warning in with_password.stderr) == (0, True)
    agreed = homeport("share", str(inspector), "--public", "--yes")
    assert (agreed.returncode, warning in agreed.stderr) == (0, True)
    again = homeport("share", str(inspector), "--expires", "1h")  # it stays public
    assert (again.returncode, warning in again.stderr) == (1, True)
    assert homeport("share", str(inspector), "--private").stderr == ""


@pytest.mark.skipif(NODE is None, reason="left out: node is not installed")
def test_an_inspector_of_which_no_command_line_tells_is_found_by_its_answer(
    homeport: Homeport, whole: Machine
) -> None:
    options = {**os.environ, "NODE_OPTIONS": f"--inspect=127.0.0.1:{whole.free}"}
    with running(str(NODE), "-e", "setInterval(() => {}, 1000)", env=options) as pid:
        assert seen(homeport, whole.free, pid)["caution"] is None
        refused = homeport("share", str(whole.free), "--public")
        assert (refused.returncode, "is an inspector: whoever" in refused.stderr) == (1, True), refused.stderr
    assert homeport("share", str(whole.dev), "--public").stderr == ""
    assert homeport("unshare", str(whole.dev)).returncode == 0


def test_a_person_is_asked(homeport: Homeport, inspector: int) -> None:
    for answer, code, mode in (("\n", 1, "private"), ("y\n", 0, "public")):
        terminal = homeport.on_terminal("share", str(inspector), "--public")
        terminal.wait_for("[y/N]")
        assert "run any program here" in terminal.text
        terminal.type(answer)
        assert terminal.finish() == code, terminal.text
        assert mode_of(homeport, inspector) == mode


def test_a_server_without_http_is_named_with_the_command_that_fits(
    homeport: Homeport, whole: Machine
) -> None:
    # Another program under the name that PostgreSQL's processes have; its socket was opened for it.
    with socket.create_server(("127.0.0.1", whole.free)) as listener:
        named = subprocess.Popen(
            ["postgres", "600"], executable=shutil.which("sleep"), pass_fds=[listener.fileno()]
        )
    try:
        assert seen(homeport, whole.free, named.pid)["caution"]["kind"] == "not-http"
        done = homeport("share", str(whole.free), "--public")
        assert done.returncode == 0
        assert f"warning: Port {whole.free} is PostgreSQL, which does not speak HTTP" in done.stderr
        assert f"fix: homeport tcp {whole.free}\n" in done.stderr
        assert done.stdout.splitlines()[-1].startswith("http://")
        assert f"homeport tcp {whole.free}" in homeport("doctor", str(whole.free)).stdout
    finally:
        named.kill()
        named.wait()


def test_the_shell_offers_yes(homeport: Homeport) -> None:
    for words in (
        ("share", "9229", "--y"),
        ("http", "9229", "--y"),
        ("tcp", "9229", "--y"),
        ("tunnels", "add", "--y"),
    ):
        assert "--yes" in " ".join(offered(homeport, *words)), words
