"""The daemon, without systemd: its life, its tunnels, its files, its socket."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import time
from pathlib import Path

import psutil

from homeportd.cli.clients import daemon_process
from homeportd.cli.commands import daemon as commands

from ...cli.conftest import offered
from .conftest import echoes, has_ended, make_token, until


def folder(homeport) -> Path:
    return Path(homeport.environment["HOME"], ".local/state/homeport")


def status(homeport) -> dict:
    return json.loads(homeport("daemon", "status", "--json").stdout)


def test_its_life(homeport, edge, server) -> None:
    done = homeport("daemon", "start", "--json")
    assert done.returncode == 0, done.stderr
    pid = json.loads(done.stdout)["pid"]
    process = psutil.Process(pid)
    assert process.ppid() != os.getpid()
    assert process.terminal() is None
    assert os.getsid(pid) not in (pid, os.getsid(0))
    for name in ("daemon.sock", "daemon.pid", "daemon.log", "daemon.lock"):
        assert stat.S_IMODE((folder(homeport) / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder(homeport).stat().st_mode) == 0o700

    added = homeport("tunnels", "add", "tcp", str(server), "--reserve-port", str(edge.first))
    assert (added.returncode, added.stdout) == (0, f"localhost:{edge.first}\n")
    assert echoes(f"localhost:{edge.first}")
    seen = status(homeport)["tunnels"][0]
    assert (seen["total"], seen["bytes_in"], seen["bytes_out"]) == (1, 5, 5)

    again = homeport("daemon", "start")
    assert (again.returncode, "runs already" in again.stderr) == (1, True)
    second = homeport("daemon", "run")
    assert (second.returncode, f"pid {pid}" in second.stderr) == (1, True)

    assert homeport("daemon", "stop").returncode == 0
    assert has_ended(pid)
    assert not (folder(homeport) / "daemon.sock").exists()
    assert homeport("daemon", "status").returncode == 3
    assert homeport("daemon", "stop").returncode == 3
    until(lambda: not echoes(f"localhost:{edge.first}"))

    assert homeport("daemon", "start").returncode == 0
    until(lambda: echoes(f"localhost:{edge.first}"), "it comes back")


def test_killed_it_leaves_nothing_in_the_way(homeport, edge, server) -> None:
    pid = json.loads(homeport("daemon", "start", "--json").stdout)["pid"]
    assert homeport("tunnels", "add", "tcp", f"{server}={edge.first}").returncode == 0
    os.kill(pid, signal.SIGKILL)
    until(lambda: has_ended(pid))
    assert (folder(homeport) / "daemon.sock").exists()
    gone = homeport("daemon", "status")
    assert (gone.returncode, "does not run" in gone.stderr) == (3, True)
    assert homeport("daemon", "stop").returncode == 3
    assert homeport("daemon", "start").returncode == 0
    until(lambda: echoes(f"localhost:{edge.first}"), "it comes back")


def test_one_that_hangs_is_stopped_all_the_same(homeport, monkeypatch) -> None:
    pid = json.loads(homeport("daemon", "start", "--json").stdout)["pid"]
    monkeypatch.setenv("HOME", homeport.environment["HOME"])
    monkeypatch.setattr(daemon_process, "ANSWER_S", 0.5)
    monkeypatch.setattr(daemon_process, "STOP_S", 1.0)
    os.kill(pid, signal.SIGSTOP)
    try:
        commands.stop()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    assert has_ended(pid)
    assert homeport("daemon", "start").returncode == 0


def test_a_pid_of_somebody_else_is_left_alone(homeport) -> None:
    folder(homeport).mkdir(parents=True)
    (folder(homeport) / "daemon.pid").write_text(json.dumps({"pid": os.getpid(), "started": 1.0}))
    assert homeport("daemon", "stop").returncode == 3
    for nonsense in ("", "1", '{"pid": -1, "started": 0}', "[]"):
        (folder(homeport) / "daemon.pid").write_text(nonsense)
        assert homeport("daemon", "stop").returncode == 3


def test_tunnels_come_and_go(homeport, edge, server) -> None:
    nobody = homeport("tunnels", "add", "tcp", str(server))
    assert (nobody.returncode, "homeport daemon start" in nobody.stderr) == (3, True)
    pid = json.loads(homeport("daemon", "start", "--json").stdout)["pid"]
    for arguments, code in (
        (("tcp", f"{server}=99"), 7),
        (("http", f"{server}=under_score"), 7),
        (("ftp", "3000"), 2),
        (("http", "3000", "--reserve-port", "5"), 2),
        (("tcp", "3000", "--passcode"), 2),
    ):
        assert homeport("tunnels", "add", *arguments).returncode == code
    assert status(homeport)["tunnels"] == []
    done = homeport("tunnels", "add", "tcp", f"{server}={edge.first}", f"{server}={edge.first + 1}")
    assert done.stdout.splitlines() == [f"localhost:{edge.first}", f"localhost:{edge.first + 1}"]
    again = homeport("tunnels", "add", "tcp", f"{server}={edge.first}", "--allow", "192.0.2.0/24")
    assert again.returncode == 0
    assert len(status(homeport)["tunnels"]) == 2
    until(lambda: not echoes(f"localhost:{edge.first}"), "the allowlist holds")
    assert echoes(f"localhost:{edge.first + 1}")
    assert offered(homeport, "tunnels", "remove", "") == [str(edge.first + 1), str(edge.first)]
    vague = homeport("tunnels", "remove", f"localhost:{server}")
    assert (vague.returncode, "is more than one tunnel" in vague.stderr) == (7, True)
    assert homeport("tunnels", "remove", str(edge.first + 1)).returncode == 0
    assert homeport("tunnels", "remove", "nothing").returncode == 4
    assert not echoes(f"localhost:{edge.first + 1}")
    assert [t["port"] for t in status(homeport)["tunnels"]] == [edge.first]
    page = homeport("tunnels", "list").stdout
    assert f"localhost:{edge.first}" in page
    assert "The edge's own list is not shown" in page
    assert status(homeport)["pid"] == pid


def test_rotation_reaches_it(homeport, owner, edge, server) -> None:
    token = make_token(owner)
    assert homeport("init", "--edge", edge.url, "--token-stdin", input=token).returncode == 0
    homeport("daemon", "start")
    assert homeport("tunnels", "add", "tcp", f"{server}={edge.first + 8}").returncode == 0
    listed = json.loads(owner("token", "list", "--json").stdout)
    mine = next(item["id"] for item in listed if token.startswith(item["prefix"]))
    done = owner("token", "rotate", mine, "--grace", "8s")
    new = done.stdout.splitlines()[-1]
    assert new.startswith("hp_")
    path = Path(homeport.environment["HOME"], ".config/homeport/edge.toml")
    until(lambda: new in path.read_text(), "the new token is stored")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    time.sleep(9)  # the old one is over
    until(lambda: echoes(f"localhost:{edge.first + 8}"), "the tunnel is there")
    assert status(homeport)["up"]
    assert homeport("init", token, "--edge", edge.url).returncode == 5
    assert owner("token", "rotate", "nothing").returncode == 4
    assert owner("token", "rotate", mine, "--grace", "soon").returncode == 2


def test_a_port_of_tcp_and_of_udp_are_told_apart(homeport, owner, edge, server) -> None:
    port = edge.first + 9
    homeport("daemon", "start")
    assert homeport("tunnels", "add", "tcp", f"{server}={port}").returncode == 0
    assert homeport("tunnels", "add", "udp", f"{server}={port}").returncode == 0
    for page in (homeport("tunnels", "list"), owner("tunnels", "list"), owner("reservations", "list")):
        found = [line.split()[1:3] for line in page.stdout.splitlines() if f":{port} " in line]
        assert found == [["tcp", f"localhost:{port}"], ["udp", f"localhost:{port}"]]


def test_a_tunnel_is_removed_by_where_it_leads(homeport, edge, server) -> None:
    homeport("daemon", "start")
    for written in (f":{server}", str(server), f"localhost:{server}"):
        assert homeport("tunnels", "add", "tcp", f"{server}={edge.first}").returncode == 0
        done = homeport("tunnels", "remove", written)
        assert (done.returncode, done.stdout) == (0, f"The tunnel localhost:{edge.first} is gone.\n")


def test_capitals_make_no_other_name(homeport, edge, server) -> None:
    homeport("daemon", "start")
    for name in ("Capital", "capital"):
        assert homeport("tunnels", "add", "http", str(server), "--domain", name).returncode == 0
    (only,) = status(homeport)["tunnels"]
    assert (only["name"], only["state"]) == ("capital", "live")


def test_killed_by_the_owner_is_final(homeport, owner, edge, server) -> None:
    homeport("daemon", "start")
    assert homeport("tunnels", "add", "tcp", f"{server}={edge.first}").returncode == 0
    assert f"localhost:{edge.first}" in owner("tunnels", "list").stdout
    assert owner("tunnels", "kill", str(edge.first)).returncode == 0
    assert owner("tunnels", "kill", "nothing").returncode == 4
    until(lambda: status(homeport)["tunnels"][0]["state"] == "killed")
    homeport("daemon", "stop")
    homeport("daemon", "start")
    until(lambda: status(homeport)["up"])
    assert status(homeport)["tunnels"][0]["state"] == "killed"
    assert homeport("tunnels", "add", "tcp", f"{server}={edge.first}").returncode == 0
    assert echoes(f"localhost:{edge.first}")


def test_an_edge_that_is_away(homeport, edge, server) -> None:
    homeport("daemon", "start")
    until(lambda: status(homeport)["up"])
    edge.kill()
    until(lambda: not status(homeport)["up"])
    try:
        done = homeport("tunnels", "add", "tcp", f"{server}={edge.first}")
        assert (done.returncode, "is kept, and opens as soon as it can" in done.stderr) == (3, True)
        before = psutil.Process(status(homeport)["pid"]).cpu_times().user
        time.sleep(2)
        assert psutil.Process(status(homeport)["pid"]).cpu_times().user - before < 0.3
    finally:
        edge.whole.start_agent()
    until(lambda: echoes(f"localhost:{edge.first}"), "it opens", 40)


def test_what_it_is_asked(homeport) -> None:
    homeport("daemon", "start")
    path = str(folder(homeport) / "daemon.sock")
    for nonsense in (
        b"\n",
        b"[]\n",
        b"{}\n",
        b'{"do":"add"}\n',
        b'{"do":"add","spec":{"kind":"x"}}\n',
        b"\xff\n",
    ):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
            connection.sendall(nonsense)
            assert "error" in json.loads(connection.makefile().readline())
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        with contextlib.suppress(ConnectionError):
            connection.sendall(b"x" * 1_500_000)
            assert connection.recv(100) == b""
    assert homeport("daemon", "status").returncode == 0


def test_a_file_of_tunnels_that_is_broken(homeport) -> None:
    folder(homeport).mkdir(parents=True)
    (folder(homeport) / "tunnels.json").write_text("{broken")
    for command, code in (("start", 1), ("run", 3)):  # 3: a service manager need not try again
        done = homeport("daemon", command)
        assert (done.returncode, "cannot read" in done.stderr) == (code, True)
        assert "fix: mend it, or move it away: mv " in done.stderr
    (folder(homeport) / "tunnels.json").write_text(
        json.dumps({"format": 1, "tunnels": [{"spec": {"kind": "quic", "target": "1"}, "name": "later"}]})
    )
    assert homeport("daemon", "start").returncode == 0
    homeport("daemon", "stop")
    assert "quic" in (folder(homeport) / "tunnels.json").read_text()  # of a later release: kept


def test_without_an_edge(bare) -> None:
    done = bare("daemon", "start")
    assert (done.returncode, "homeport init" in done.stderr) == (4, True)


def test_a_range_is_a_tunnel_for_each_port(homeport, edge, server) -> None:
    homeport("daemon", "start")
    first = edge.first + 11
    added = homeport("tunnels", "add", "tcp", f"{server}-{server + 1}={first}-{first + 1}")
    assert (added.returncode, added.stdout) == (0, f"localhost:{first}\nlocalhost:{first + 1}\n")
    assert echoes(f"localhost:{first}")
    # One that the edge does not give keeps none of the others away.
    added = homeport("tunnels", "add", "udp", f"{server}=9", f"{server}={first}", "--json")
    assert (added.returncode, "is not one of this edge's" in added.stderr) == (7, True)
    assert [tunnel["port"] for tunnel in json.loads(added.stdout)] == [first]


def test_the_doctor_of_a_client(homeport, bare, server) -> None:
    def states() -> dict[str, str]:
        done = homeport("doctor", "--json")
        said = json.loads(done.stdout)
        assert (done.returncode == 0) is said["ok"]
        return {check["name"]: check["state"] for check in said["checks"]}

    assert states() == {"account": "ok", "edge": "ok", "daemon": "note", "disk": "ok"}
    homeport("daemon", "start")
    homeport("tunnels", "add", "tcp", str(server))
    assert states() == {"account": "ok", "edge": "ok", "daemon": "ok", "disk": "ok"}
    file = Path(homeport.environment["HOME"], ".config/homeport/edge.toml")
    file.write_text(file.read_text().replace("hp_", "hp_x"))
    assert states()["edge"] == "fail"
    file.chmod(0o644)
    assert states() == {"account": "fail", "disk": "ok"}
