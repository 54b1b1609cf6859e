"""A machine that is its own edge: its user needs no `homeport init`."""

from __future__ import annotations

import json
import os
import pwd
import socket
import stat
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from ...cli.conftest import Homeport
from .conftest import PATIENCE, Edge, end, until

NAME = f"this machine: {pwd.getpwuid(os.geteuid()).pw_name}"


@pytest.fixture
def fresh(edge: Edge) -> Iterator[Homeport]:
    """The command line of the agent's user on the edge, who has typed nothing yet; tokens go with the test."""
    with tempfile.TemporaryDirectory(prefix="hp") as home:
        made = Homeport(edge.config)
        made.environment["HOME"] = home
        made.environment.pop("XDG_RUNTIME_DIR", None)
        before = {token["id"] for token in json.loads(made("token", "list", "--json").stdout)}
        yield made
        made("daemon", "stop")
        made.close()
        for token in tokens(made):
            if token["id"] not in before:
                made("token", "revoke", token["id"])


def tokens(homeport: Homeport) -> list[dict[str, str]]:
    """Those that were made for this machine's own users."""
    found = json.loads(homeport("token", "list", "--json").stdout)
    return [token for token in found if token["name"] == NAME]


def file(homeport: Homeport) -> Path:
    return Path(homeport.environment["HOME"]) / ".config/homeport/edge.toml"


def opened(homeport: Homeport, *arguments: str) -> tuple[str, str]:
    """The address of a tunnel in the foreground, which is ended again, and what was said on standard error."""
    command = homeport.start(*arguments)
    assert command.stdout is not None
    address = command.stdout.readline().split()
    _, out, errors = end(command)
    return (address[0] if address else out), errors


def test_the_first_tunnel_connects_the_machines_own_user(fresh: Homeport, edge: Edge, server: int) -> None:
    command = fresh.start("http", str(server), "--domain", "myapp")
    assert command.stdout is not None
    assert command.stdout.readline().split()[0] == f"http://myapp.tunnel.localhost:{edge.web}"
    until(lambda: edge.visit("myapp")[0] not in (0, 404), "the route")
    code, _, errors = end(command)
    url = f"http://tunnel.localhost:{edge.web}"
    # A note that the echo is no web server may follow: it comes when the edge's first visit has been answered.
    connected, _, rest = errors.partition("\n")
    assert (code, connected) == (130, f"note: this user is now connected with this machine's edge, {url}")
    assert not rest or rest.startswith(f"note: the server on localhost:{server} speaks no HTTP\n")
    made = tomllib.loads(file(fresh).read_text())
    assert (made["url"], made["local"]) == (url, True)
    assert stat.S_IMODE(file(fresh).stat().st_mode) == 0o600
    assert [token["scope"] for token in tokens(fresh)] == ["tunnel"]
    again = opened(fresh, "tcp", str(server))
    assert again[1] == ""
    assert len(tokens(fresh)) == 1
    assert fresh("reservations", "remove", "myapp").returncode == 0


def test_the_daemon_and_what_needs_it_find_the_machines_own_edge(fresh: Homeport, server: int) -> None:
    assert "this machine's own edge" in fresh("doctor").stdout
    assert not file(fresh).exists()  # doctor only looks
    started = fresh("daemon", "start")
    assert started.returncode == 0, started.stderr
    added = fresh("tunnels", "add", "tcp", str(server), "--json")
    assert added.returncode == 0, added.stderr
    listed = json.loads(fresh("tunnels", "list", "--json").stdout)
    assert len(listed["daemon"]) == 1
    assert listed["daemon"][0]["address"] in {tunnel["address"] for tunnel in listed["edge"]}
    assert "takes the token" in fresh("doctor").stdout
    assert len(tokens(fresh)) == 1


def test_commands_at_the_same_time_make_one_token(fresh: Homeport, server: int) -> None:
    commands = [fresh.start("tcp", str(server)) for _ in range(4)]
    for command in commands:
        assert command.stdout is not None
        assert command.stdout.readline()
    errors = [end(command)[2] for command in commands]
    assert len([text for text in errors if text]) == 1
    assert len(tokens(fresh)) == 1


def test_a_token_that_was_revoked_is_not_replaced_unasked(fresh: Homeport, server: int) -> None:
    running = fresh.start("tcp", str(server))
    assert running.stdout is not None
    assert running.stdout.readline()
    assert fresh("token", "revoke", tokens(fresh)[0]["id"]).returncode == 0
    _, errors = running.communicate(timeout=PATIENCE)
    assert (running.returncode, errors.count("fix: homeport init, which makes another one")) == (5, 1), errors
    for _ in range(2):
        refused = fresh("tcp", str(server))
        assert (refused.returncode, tokens(fresh)) == (5, [])
        assert "fix: homeport init, which makes another one on this machine" in refused.stderr
    assert "homeport init, which makes" in fresh("doctor").stdout
    renewed = fresh("init")
    assert (renewed.returncode, len(tokens(fresh))) == (0, 1), renewed.stderr
    assert fresh("init").returncode == 0  # nothing to renew
    assert len(tokens(fresh)) == 1
    assert opened(fresh, "tcp", str(server))[1] == ""


def test_an_edge_that_moved_is_followed_and_one_that_is_gone_is_told(
    fresh: Homeport, edge: Edge, server: int
) -> None:
    opened(fresh, "tcp", str(server))
    text = file(fresh).read_text()
    file(fresh).write_text(text.replace(f":{edge.web}", ":1"))
    assert opened(fresh, "tcp", str(server))[1] == ""
    alone = Path(fresh.environment["HOME"]) / "alone.toml"
    alone.write_text(edge.config.read_text().partition("[edge]")[0])
    told = fresh("tcp", str(server), HOMEPORT_CONFIG=str(alone))
    assert told.returncode == 4
    assert "which has none any more" in told.stderr
    assert "inventory's group `edge`" in told.stderr


def test_what_cannot_be_kept_leaves_no_token(fresh: Homeport, server: int) -> None:
    file(fresh).parent.parent.mkdir()
    file(fresh).parent.write_text("a file where a folder should be")
    failed = fresh("tcp", str(server))
    assert (failed.returncode, "cannot write" in failed.stderr) == (1, True), failed.stderr
    assert tokens(fresh) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="left out: becomes other users, which root alone can")
def test_users_whom_the_agent_does_not_trust_are_told_what_to_do(
    fresh: Homeport, edge: Edge, server: int
) -> None:
    """The same as for the agent's user, with files of somebody else: what another account has on its terminal."""
    home = Path(fresh.environment["HOME"])
    for folder in (home, home / "sockets"):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(home / "sockets" / "cli.sock"))
    (home / "sockets" / "cli.sock").chmod(0o600)
    listener.listen()
    config = home / "agent.toml"
    config.write_text(
        f'socket_dir = "{home}/sockets"\n[edge]\nurl = "http://{{name}}.tunnel.localhost:{edge.web}"\n'
    )
    own = home / "own"
    own.mkdir()
    os.chown(own, 65534, 65534)
    script = (
        "import contextlib, io, os, sys\n"
        "from homeportd.cli import main\n"  # what nobody may read later
        "import homeportd.cli.command_line, homeportd.cli.clients.foreground, homeportd.tunnels.probe\n"
        "arguments = sys.argv[1:]\n"
        "sys.argv[1:] = [arguments[0], '--help']\n"  # so that typer has imported what it needs
        "with contextlib.redirect_stdout(io.StringIO()): main()\n"
        "sys.argv[1:] = arguments\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "sys.exit(main())\n"
    )
    with listener:
        for arguments in (("tcp", str(server)), ("reservations", "list"), ("init",)):
            done = as_nobody(
                script, arguments, fresh.environment | {"HOME": str(own), "HOMEPORT_CONFIG": str(config)}
            )
            assert done.returncode == 4, done.stderr
            assert "that of this machine, http://tunnel.localhost" in done.stderr, done.stderr
            assert "as root: homeport token create NAME --scope tunnel" in done.stderr
            assert f"homeport init --edge http://tunnel.localhost:{edge.web}" in done.stderr
        root = fresh("tcp", str(server), HOME=str(own))
        assert (root.returncode, "fix: put HOME=/root before" in root.stderr) == (1, True), root.stderr
    assert list(own.rglob("*")) == []


def as_nobody(
    script: str, arguments: tuple[str, ...], environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
