"""Tunnels as long as a command runs."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import threading
import time
from pathlib import Path

import pytest

from .conftest import PATIENCE, echoes, end, make_token, until

HERE = socket.gethostname()


def test_init_keeps_the_token_to_its_owner(bare, edge, token) -> None:
    done = bare("init", "--edge", edge.url, "--token-stdin", input=f"{token}\n")

    assert done.returncode == 0
    assert f"http://{{name}}.tunnel.localhost:{edge.web}" in done.stdout
    assert token not in done.stdout
    path = Path(bare.environment["HOME"], ".config/homeport/edge.toml")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    refused = bare("http", "3000")
    assert (refused.returncode, "chmod 600" in refused.stderr) == (4, True)


def test_init_with_the_token_as_an_argument_warns(bare, edge, token) -> None:
    done = bare("init", token, "--edge", edge.url, "--json")
    assert done.returncode == 0
    assert "is seen by other users" in done.stderr
    assert json.loads(done.stdout)["edge"] == edge.url


def test_init_asks_on_a_terminal(bare, edge, token) -> None:
    terminal = bare.on_terminal("init", "--edge", edge.url)
    terminal.wait_for("Token of the edge: ")
    terminal.type(f"{token}\n")
    terminal.wait_for("accepts the token")
    assert token not in terminal.text
    assert terminal.finish() == 0


BAD = [
    (("init", "hp_unknown"), 5, "unknown, revoked"),
    (("init", "two words"), 2, "is no token"),
    (("init", "hp_x", "--edge", "ftp://x"), 2, "not an edge's address"),
    (("init", "hp_x", "--edge", "http://127.0.0.1:1"), 3, "cannot be reached: Connection refused"),
    (("init", "hp_x", "--edge", "https://no-such-name.invalid"), 3, "cannot be resolved"),
    (("init", "hp_x", "--edge", "http://127.0.0.1:1", "--ca", "/nowhere"), 3, ""),
    (("init", "hp_x", "--edge", "https://127.0.0.1:1", "--ca", "/nowhere"), 4, "cannot read certificates"),
]


@pytest.mark.parametrize(("arguments", "code", "said"), BAD)
def test_init_with_what_cannot_be(bare, edge, arguments, code, said) -> None:
    if "--edge" not in arguments:
        arguments = (*arguments, "--edge", edge.url)
    done = bare(*arguments)
    assert (done.returncode, "\nfix: " in done.stderr) == (code, True), done.stderr
    assert said in done.stderr
    assert bare("http", "3000").returncode == 4  # nothing was stored


REFUSED = [
    (("tcp", "3000", "--reserve-port", "99"), 7, "is not one of this edge's"),
    (("http", "3000", "--domain", "under_score"), 7, "cannot be a name"),
    (("http", "3000", "--domain", "admin"), 7, "is kept for the edge itself"),
    (("http", "3000", "--domain", "x" * 64), 7, "is longer than 63"),
    (("tcp", "3000", "--allow", "10.0.0.0/99"), 11, "is not a network"),
    (("tcp", "3000", "--allow", "example.com"), 11, "is not a network"),
    (("http", "3000", "--domain", "app.example.org"), 7, "is a whole domain"),
    (("http", "3000", "--domain", ""), 2, "the name is empty"),
    (("http", "3000="), 2, "the name is empty"),
    (("tcp", "3000="), 2, "is not a port"),
    (("tcp", "3000", "--max-rate", "fast"), 2, "is no rate"),
    (("tcp", "3000", "--max-rate", "100"), 2, "write 1024 bytes a second or more"),
    (("udp", "3000", "--max-connections", "0"), 2, "--max-connections"),
    (("http", "3000", "--host-header", "a b"), 7, "host"),
    (("http", "https://localhost:3000/path"), 2, "is not a target"),
    (("http", "ftp://localhost:3000"), 2, "begins with https://"),
    (("tcp", "https://localhost:4444"), 2, "fix: homeport tcp localhost:4444"),
    (("tcp", "70000"), 2, "is not a target"),
    (("tcp", "3000=0"), 2, "is not a port"),
    (("udp", "a", "b"), 2, "is not a target"),
    (("http", "3000", "4000", "--domain", "a"), 2, "is for one target"),
    (("http", "3000=a", "4000=a"), 2, "same name or port"),
    (("http",), 2, "Missing argument"),
    (("tcp", "3000", "--domain", "a"), 2, "No such option"),
    (("http", "3000", "--passcode"), 2, "use --passcode-stdin"),
]


@pytest.mark.parametrize(("arguments", "code", "said"), REFUSED)
def test_what_cannot_be(homeport, arguments, code, said) -> None:
    done = homeport(*arguments)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert said in done.stderr
    assert "\nfix: " in done.stderr


def test_a_name_of_another_token(homeport, owner, edge) -> None:
    other = owner("token", "create", "other", "--scope", "tunnel", "--json")
    made = json.loads(other.stdout)
    kept = owner("reservations", "add", "http", "theirs", "--token", made["id"], "--json")
    assert kept.returncode == 0, kept.stderr
    try:
        done = homeport("http", "3000", "--domain", "theirs")
        assert (done.returncode, "belongs to another token" in done.stderr) == (6, True), done.stderr
    finally:
        assert owner("reservations", "remove", "theirs").returncode == 0


def test_several_tunnels_in_a_pipe(homeport, edge, server) -> None:
    first, second = edge.first, edge.first + 1
    process = homeport.start("tcp", f"{server}={first}", f"127.0.0.1:{server}={second}")
    addresses = [process.stdout.readline().strip() for _ in range(2)]
    assert addresses == [f"localhost:{first}", f"localhost:{second}"]
    assert all(echoes(address) for address in addresses)
    code, rest, errors = end(process)
    assert (code, rest, errors) == (130, "", "")
    until(lambda: not echoes(addresses[0]))


def test_limits(homeport, owner, edge, server) -> None:
    process = homeport.start(
        "tcp", f"{server}={edge.first}", "--max-connections", "1", "--max-rate", "1M", "--json"
    )
    assert json.loads(process.stdout.readline())["event"] == "opened"
    listed = json.loads(owner("tunnels", "--json").stdout)["edge"]
    mine = next(tunnel for tunnel in listed if tunnel["port"] == edge.first)
    assert mine["limits"] == {"connections": 1, "bytes_per_second": 1_000_000}
    with socket.create_connection(("127.0.0.1", edge.first), PATIENCE) as one:
        one.sendall(b"hello")
        assert one.recv(5, socket.MSG_WAITALL) == b"hello"
        assert not echoes(f"localhost:{edge.first}")  # one too many
        begun = time.monotonic()
        threading.Thread(target=one.sendall, args=(bytes(3_000_000),), daemon=True).start()
        with one.makefile("rb") as coming:
            assert len(coming.read(3_000_000)) == 3_000_000
        assert 1 < time.monotonic() - begun < 60
    assert end(process)[0] == 130


def test_http_with_a_name_and_a_passcode(homeport, edge, server) -> None:
    process = homeport.start("http", f"{edge.whole.dev}=shop", "--json")
    opened = json.loads(process.stdout.readline())
    assert (opened["event"], opened["address"]) == ("opened", f"http://shop.tunnel.localhost:{edge.web}")
    until(lambda: edge.visit("shop")[0] == 200, "the route is there")
    assert end(process, signal.SIGTERM)[0] == 143


def test_the_page_on_a_terminal(homeport, edge, server) -> None:
    terminal = homeport.on_terminal("tcp", f"{server}={edge.first}", columns=120)
    terminal.wait_for("localhost:")
    assert echoes(f"localhost:{edge.first}")
    terminal.wait_for("5 B")
    assert "Linked with tunnel.localhost" in terminal.text
    terminal.type("\x03")
    assert terminal.finish() == 130


def test_the_page_on_a_narrow_terminal(homeport, edge, server) -> None:
    terminal = homeport.on_terminal("http", f"{server}=one", f"{server}=other", columns=40, NO_COLOR="1")
    terminal.wait_for("Ctrl-C ends this.")
    terminal.type("\x03")
    assert terminal.finish() == 130
    lines = [line.rstrip() for line in terminal.text.splitlines()]
    for name in ("one", "other"):
        at = lines.index(f"http://{name}.tunnel.localhost:{edge.web}")
        assert lines[at + 1].split()[:2] == [f":{server}", "live"]


def test_no_colour(homeport, edge, server) -> None:
    terminal = homeport.on_terminal("tcp", f"{server}={edge.first}", columns=120, NO_COLOR="1")
    terminal.wait_for("Ctrl-C ends this.")
    assert "\x1b[3" not in terminal.text
    terminal.type("\x03")
    assert terminal.finish() == 130


def test_udp(homeport, edge) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as local:
        local.bind(("127.0.0.1", 0))
        process = homeport.start("udp", str(local.getsockname()[1]), "--reserve-port", str(edge.first))
        assert process.stdout.readline() == f"localhost:{edge.first}\n"

        def echo() -> None:
            data, peer = local.recvfrom(70_000)
            local.sendto(data, peer)

        threading.Thread(target=echo, daemon=True).start()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as visitor:
            visitor.settimeout(PATIENCE)
            payload = os.urandom(65_507)
            visitor.sendto(payload, ("127.0.0.1", edge.first))
            assert visitor.recv(70_000) == payload
        assert end(process)[0] == 130


def test_the_edge_dies_and_comes_back(homeport, edge, server) -> None:
    process = homeport.start("tcp", f"{server}={edge.first}")
    address = process.stdout.readline().strip()
    assert echoes(address)
    edge.kill()
    time.sleep(0.5)
    edge.whole.start_agent()
    until(lambda: echoes(address), "the tunnel is back")  # how soon: tests/chaos
    code, rest, errors = end(process)
    assert (code, rest) == (130, "")
    assert errors.count("note: ") == 2
    assert "linked with the edge again" in errors


def test_taken_over_by_a_newer_client(homeport, edge, server) -> None:
    older = homeport.start("tcp", f"{server}={edge.first}")
    assert older.stdout.readline()
    newer = homeport.start("tcp", f"{server}={edge.first}")
    assert newer.stdout.readline()
    _, errors = older.communicate(timeout=PATIENCE)
    assert older.returncode == 6
    assert errors.splitlines() == [
        f"error: a newer client, on {HERE}, has {edge.first}",
        "fix: end that one, or start this one again to take it back",
    ]
    assert echoes(f"localhost:{edge.first}")
    assert end(newer)[0] == 130


def test_one_of_several_is_taken_over(homeport, edge, server) -> None:
    older = homeport.start("tcp", f"{server}={edge.first}", f"{server}={edge.first + 1}")
    assert all(older.stdout.readline() for _ in range(2))
    newer = homeport.start("tcp", f"{server}={edge.first}")
    assert newer.stdout.readline()
    said = [older.stderr.readline().rstrip() for _ in range(2)]
    assert said == [
        f"note: a newer client, on {HERE}, has {edge.first}",
        "fix: end that one, or start this one again to take it back",
    ]
    assert echoes(f"localhost:{edge.first + 1}")  # the other goes on
    assert end(older) == (130, "", "")
    assert end(newer)[0] == 130


def test_the_page_says_once_who_took_it_over(homeport, edge, server) -> None:
    older = homeport.on_terminal("tcp", f"{server}={edge.first}", columns=120, NO_COLOR="1")
    older.wait_for("Ctrl-C ends this.")
    newer = homeport.start("tcp", f"{server}={edge.first}")
    assert newer.stdout.readline()
    assert older.finish() == 6
    assert older.text.count("a newer client, on ") == 1
    assert "taken-over" in older.text
    assert end(newer)[0] == 130


def test_revoked_means_cut(homeport, owner, edge, server) -> None:
    token = make_token(owner)
    assert homeport("init", "--edge", edge.url, "--token-stdin", input=token).returncode == 0
    process = homeport.start("tcp", f"{server}={edge.first + 7}")
    assert process.stdout.readline()
    listed = json.loads(owner("token", "list", "--json").stdout)
    mine = next(item["id"] for item in listed if token.startswith(item["prefix"]))
    assert owner("token", "revoke", mine).returncode == 0
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 5, errors
    assert errors.count("unknown, revoked") == 1
    assert homeport("tcp", "3000").returncode == 5
