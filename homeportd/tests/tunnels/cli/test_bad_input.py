"""What a person, a machine or an edge can get wrong, at a real edge: a message and an exit code for each, and a
daemon that neither spins nor dies of it. What the arguments alone show to be wrong is in test_foreground."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil

from .conftest import PATIENCE, echoes, end, make_token, until


def altered(homeport, change: str, *arguments: str) -> subprocess.Popen[str]:
    """The command with something changed before it begins, as another release or a wrong clock would have it."""
    code = f"import sys\n{change}\nfrom homeportd.cli import main\nsys.exit(main())"
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=homeport.environment,
        text=True,
    )


def status(homeport) -> dict:
    return json.loads(homeport("daemon", "status", "--json").stdout)


def token_id(owner, token: str) -> str:
    listed = json.loads(owner("token", "list", "--json").stdout)
    return next(item["id"] for item in listed if token.startswith(item["prefix"]))


def test_another_version(homeport, server) -> None:
    process = altered(
        homeport, "from homeportd.tunnels import protocol; protocol.VERSION = 99", "tcp", str(server)
    )
    out, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (8, "")
    assert "version" in errors
    assert "\nfix: " in errors


def test_a_clock_that_is_wrong(homeport, edge, server) -> None:
    change = (
        "from datetime import timedelta\nfrom homeportd import clock\n"
        "true = clock.now\nclock.now = lambda: true() + timedelta(hours=2)"
    )
    process = altered(homeport, change, "tcp", f"{server}={edge.first}")
    assert process.stdout.readline() == f"localhost:{edge.first}\n"  # only certificates need the time
    assert echoes(f"localhost:{edge.first}")
    code, _, errors = end(process)
    assert code == 130
    said = re.search(r"this machine's clock is (\d+) s ahead of the edge's: set it", errors)
    assert said, errors
    assert 7200 <= int(said[1]) < 7200 + PATIENCE  # as long as the edge's word was on its way


def test_a_port_of_another_token(homeport, owner, edge, server) -> None:
    made = json.loads(owner("token", "create", "other", "--scope", "tunnel", "--json").stdout)
    port = str(edge.first + 6)
    assert owner("reservations", "add", "tcp", port, "--token", made["id"]).returncode == 0
    try:
        done = homeport("tcp", str(server), "--reserve-port", port)
        assert (done.returncode, done.stdout) == (10, "")
        assert f"TCP port {port} belongs to another token" in done.stderr
    finally:
        assert owner("reservations", "remove", port).returncode == 0


def test_a_range_of_which_a_port_is_refused_leaves_nothing_behind(homeport, owner, edge, server) -> None:
    kept, new, taken = (edge.first + n for n in (7, 8, 9))
    assert owner("reservations", "add", "tcp", str(kept)).returncode == 0
    with socket.socket() as other:
        other.bind(("127.0.0.1", taken))
        other.listen()
        done = homeport("tcp", f"{server}-{server + 2}={kept}-{taken}")
    assert (done.returncode, done.stdout) == (10, ""), done.stderr

    def reserved() -> list[int]:
        listed = json.loads(owner("reservations", "--json").stdout)
        return [item["port"] for item in listed if item["port"] in (kept, new, taken)]

    until(lambda: reserved() == [kept], "what was reserved before, and no more")
    assert owner("reservations", "remove", str(kept)).returncode == 0


def test_a_port_that_a_program_of_the_edge_has(homeport, edge, server) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", edge.first + 5))
        other.listen()
        done = homeport("tcp", str(server), "--reserve-port", str(edge.first + 5))
    assert (done.returncode, done.stdout) == (10, "")
    assert "another program of the edge listens" in done.stderr
    assert "\nfix: " in done.stderr


def test_revoked_means_that_the_daemon_is_cut_and_does_not_spin(homeport, owner, edge, server) -> None:
    token = make_token(owner)
    assert homeport("init", "--edge", edge.url, "--token-stdin", input=token).returncode == 0
    homeport("daemon", "start")
    assert homeport("tunnels", "add", "tcp", f"{server}={edge.first + 4}").returncode == 0
    with socket.create_connection(("127.0.0.1", edge.first + 4), PATIENCE) as visitor:
        visitor.sendall(b"hello")
        assert visitor.recv(5, socket.MSG_WAITALL) == b"hello"
        mine = token_id(owner, token)
        assert owner("token", "revoke", mine).returncode == 0
        with contextlib.suppress(ConnectionResetError):  # how soon: tests/edge/test_tokens.py
            assert visitor.recv(1) == b""
    until(lambda: not status(homeport)["up"])
    process = psutil.Process(status(homeport)["pid"])
    before, spent = status(homeport)["attempts"], process.cpu_times().user
    time.sleep(4)
    now = status(homeport)
    assert now["attempts"] - before <= 8  # by chance two of them follow closely; who spins has thousands
    assert process.cpu_times().user - spent < 0.5
    assert now["problem"]["reason"] == "token"
    # A new token is used at once.
    fresh = make_token(owner)
    assert homeport("init", "--edge", edge.url, "--token-stdin", input=fresh).returncode == 0
    until(lambda: status(homeport)["up"], "it is back")


def test_init_with_a_token_that_was_replaced(bare, owner, edge, server) -> None:
    token = make_token(owner)
    rotated = owner("token", "rotate", token_id(owner, token), "--grace", "1h")
    newer = rotated.stdout.splitlines()[-1]

    done = bare("init", "--edge", edge.url, "--token-stdin", input=token)
    assert done.returncode == 0
    assert (
        done.stderr
        == "note: the token was replaced; the edge gave the newer one, which is kept in its place\n"
    )
    account = Path(bare.environment["HOME"], ".config/homeport/edge.toml")
    assert newer in account.read_text()
    assert bare("init", "--edge", edge.url, "--token-stdin", input=newer).stderr == ""

    edge.kill()  # the newer one was in its memory alone
    edge.whole.start_agent()
    until(lambda: bare("init", "--edge", edge.url, "--token-stdin", input=newer).returncode == 0)
    done = bare("init", "--edge", edge.url, "--token-stdin", "--json", input=token)
    assert done.returncode == 0
    assert "note: the token was replaced, and ends at " in done.stderr
    assert "\nfix: homeport init --token-stdin with the newer one" in done.stderr
    ends = json.loads(done.stdout)["token_ends"]
    assert ends is not None
    checks = {check["name"]: check for check in json.loads(bare("doctor", "--json").stdout)["checks"]}
    assert checks["token"]["state"] == "note"

    process = bare.start("tcp", f"{server}={edge.first + 6}")
    assert process.stdout.readline()
    assert "and ends at" in end(process)[2]
    assert bare("daemon", "start").returncode == 0
    until(lambda: status(bare)["up"], "the daemon is linked")
    assert status(bare)["token_ends"] == ends
    assert "The token was replaced, and ends at" in bare("daemon", "status").stdout


def test_one_bad_tunnel_does_not_end_the_others(homeport, owner, edge, server) -> None:
    made = json.loads(owner("token", "create", "third", "--scope", "tunnel", "--json").stdout)
    port = edge.first + 3
    assert owner("reservations", "add", "udp", str(port), "--token", made["id"]).returncode == 0
    try:
        folder = Path(homeport.environment["HOME"], ".local/state/homeport")
        folder.mkdir(parents=True)
        bad = [
            {"kind": "udp", "target": "3000", "port": port},  # another's
            {"kind": "tcp", "target": "3000", "port": 99},  # out of range
            {"kind": "http", "target": "3000", "name": "under_score"},
            {"kind": "http", "target": "3000", "name": "admin"},
            {"kind": "tcp", "target": "1", "port": edge.first + 1},  # nothing listens there
            {"kind": "tcp", "target": "no-such-name.invalid:5", "port": edge.first + 2},
            {"kind": "tcp", "target": "3000", "allow": ["10.0.0.0/99"]},  # left out, and kept in the file
        ]
        specs = [*bad, {"kind": "tcp", "target": str(server), "port": edge.first}]
        file = folder / "tunnels.json"
        file.write_text(json.dumps({"format": 1, "tunnels": [{"spec": spec} for spec in specs]}))
        assert homeport("daemon", "start").returncode == 0
        until(lambda: echoes(f"localhost:{edge.first}"), "the good one works")
        assert not echoes(f"localhost:{edge.first + 1}")
        assert not echoes(f"localhost:{edge.first + 2}")

        def states() -> dict[int | str, str]:
            return {
                tunnel["port"] or tunnel["name"]: tunnel["state"] for tunnel in status(homeport)["tunnels"]
            }

        def page_says() -> bool:
            page = homeport("daemon", "status").stdout
            words = ("belongs to another token", "is not one of this edge's", "cannot be a name", "fix: ")
            return all(word in page for word in words)

        # Each of them is asked for again and again, and has no answer for a moment.
        bad_ones, good_ones = (port, 99, "under_score", "admin"), [edge.first + n for n in range(3)]
        wanted = dict.fromkeys(bad_ones, "refused") | dict.fromkeys(good_ones, "live")
        until(lambda: states() == wanted, "each has its answer")
        until(page_says, "each has its reason")
        process = psutil.Process(status(homeport)["pid"])
        spent = process.cpu_times().user
        time.sleep(3)
        assert process.cpu_times().user - spent < 0.5
        assert echoes(f"localhost:{edge.first}")
        homeport("daemon", "stop")
        assert "10.0.0.0/99" in file.read_text()
    finally:
        assert owner("reservations", "remove", str(port)).returncode == 0
