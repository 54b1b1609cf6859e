"""The client without what only Linux has, at a real edge; and the agent of launchd. No Mac has run this."""

from __future__ import annotations

import json
import os
import plistlib
import resource
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import trustme

from homeportd.cli.service_managers import launchd
from homeportd.tunnels import trust

from .conftest import PATIENCE, echoes, end, until

MACOS = Path(__file__).parent / "macos"


@pytest.fixture
def mac(homeport):
    """The command line on what looks like macOS; launchctl is not there."""
    homeport.environment["PYTHONPATH"] = str(MACOS)
    homeport.environment["PYTHONDONTWRITEBYTECODE"] = "1"
    return homeport


def status(mac) -> dict:
    done = mac("daemon", "status", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def udp_echo(edge_port: int, sock: socket.socket, size: int) -> None:
    """One datagram there and back."""

    def echo() -> None:
        data, peer = sock.recvfrom(70_000)
        sock.sendto(data, peer)

    threading.Thread(target=echo, daemon=True).start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as visitor:
        visitor.settimeout(PATIENCE)
        payload = os.urandom(size)
        visitor.sendto(payload, ("127.0.0.1", edge_port))
        assert visitor.recv(70_000) == payload


def test_it_looks_like_macos(mac) -> None:
    code = (
        "import sys, os, select, selectors, socket, resource\n"
        "print(sys.platform, hasattr(socket, 'SO_PEERCRED'), hasattr(select, 'epoll'), hasattr(os, 'pidfd_open'))\n"
        "print(selectors.DefaultSelector.__name__, resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n"
        "exec('import os\\nprint(os.path.exists(\"/proc/self\"))', {'__name__': 'homeportd.anything'})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=mac.environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["darwin", *["False"] * 3, "KqueueSelector", "256", "False"], done.stderr


def test_tunnels_in_the_foreground(mac, edge, server) -> None:
    web = mac.start("http", f"{edge.whole.dev}=mac")
    assert web.stdout.readline() == f"http://mac.tunnel.localhost:{edge.web}\n", web.stderr.read()
    until(lambda: edge.visit("mac")[0] == 200, "the page")
    assert end(web) == (130, "", "")

    tcp = mac.start("tcp", f"{server}={edge.first}")
    assert tcp.stdout.readline() == f"localhost:{edge.first}\n", tcp.stderr.read()
    assert echoes(f"localhost:{edge.first}")
    assert end(tcp) == (130, "", "")

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as local:
        local.bind(("127.0.0.1", 0))
        udp = mac.start("udp", f"{local.getsockname()[1]}={edge.first}")
        assert udp.stdout.readline() == f"localhost:{edge.first}\n", udp.stderr.read()
        for size in (0, 1, 65_507):  # more than macOS sends unless it is told to
            udp_echo(edge.first, local, size)
        assert end(udp) == (130, "", "")


def test_open_files(mac, edge, server) -> None:
    tcp = mac.start("tcp", f"{server}={edge.first}")
    assert tcp.stdout.readline()
    assert resource.prlimit(tcp.pid, resource.RLIMIT_NOFILE)[0] > 5000  # 256 are for 120 visitors
    assert end(tcp)[0] == 130


def test_the_live_page(mac, edge, server) -> None:
    terminal = mac.on_terminal("tcp", f"{server}={edge.first}", columns=120)
    terminal.wait_for("Linked with tunnel.localhost")
    terminal.type("\x03")
    assert terminal.finish() == 130


def test_the_daemon_without_launchd(mac, edge, server) -> None:
    started = mac("daemon", "start", "--json")
    assert started.returncode == 0, started.stderr
    assert json.loads(started.stdout)["manager"] is None
    assert mac("daemon", "start").returncode == 1
    assert mac("tunnels", "add", "tcp", f"{server}={edge.first}").stdout == f"localhost:{edge.first}\n"
    assert echoes(f"localhost:{edge.first}")
    assert status(mac)["tunnels"][0]["total"] == 1
    assert f"localhost:{edge.first}" in mac("tunnels").stdout
    edge.kill()
    edge.whole.start_agent()
    until(lambda: echoes(f"localhost:{edge.first}"), "it is back by itself")
    assert mac("tunnels", "remove", str(edge.first)).returncode == 0
    assert mac("daemon", "stop").returncode == 0
    assert mac("daemon", "status").returncode == 3
    log = Path(mac.environment["HOME"], ".local/state/homeport/daemon.log").read_text()
    assert "Traceback" not in log


def test_the_daemon_with_launchd(mac, edge, server) -> None:
    mac.environment["PATH"] = f"{MACOS}:{mac.environment['PATH']}"
    home = Path(mac.environment["HOME"])
    agent = home / "Library/LaunchAgents/homeport.tunnels.plist"
    started = mac("daemon", "start", "--json")
    assert started.returncode == 0, started.stderr
    said = json.loads(started.stdout)
    assert (said["manager"], said["log"]) == ("launchd", str(home / ".local/state/homeport/daemon.log"))
    assert agent.exists()
    assert mac("tunnels", "add", "tcp", f"{server}={edge.first}").returncode == 0
    assert echoes(f"localhost:{edge.first}")
    assert status(mac)["pid"] == int((home / "launchd/homeport.tunnels").read_text())

    assert mac("daemon", "stop").returncode == 0
    assert not agent.exists()  # it stays away at the next login
    assert mac("daemon", "status").returncode == 3
    until(lambda: not echoes(f"localhost:{edge.first}"))
    assert mac("daemon", "start", "--no-launchd", "--json").returncode == 0
    assert not agent.exists()
    until(lambda: echoes(f"localhost:{edge.first}"))
    calls = (home / "launchd/calls").read_text().splitlines()
    mine = f"gui/{os.getuid()}"
    label = f"{mine}/homeport.tunnels"
    assert calls == [
        f"bootout {label}",
        f"enable {label}",
        f"bootstrap {mine} {agent}",
        f"bootout {label}",
    ]


def test_launchd_that_refuses(mac) -> None:
    mac.environment["PATH"] = f"{MACOS}:{mac.environment['PATH']}"
    home = Path(mac.environment["HOME"])
    (home / "launchd/homeport.tunnels").mkdir(parents=True)  # cannot be taken out
    done = mac("daemon", "start")
    assert (done.returncode, "Bootstrap failed: 5" in done.stderr) == (1, True), done.stderr
    assert "fix: start it from the Mac's own desktop" in done.stderr
    assert (home / "launchd/calls").read_text().count("bootstrap ") == launchd.ATTEMPTS
    assert not (home / "Library/LaunchAgents/homeport.tunnels.plist").exists()


def test_the_property_list() -> None:
    made = launchd.text(["/Users/ann lee/.local/bin/python", "-m", "<&>"], Path("/Users/ann lee/d.log"))
    assert made.startswith(
        b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN"'
    )
    assert plistlib.loads(made) == {
        "Label": "homeport.tunnels",
        "ProgramArguments": [
            "/Users/ann lee/.local/bin/python",
            "-m",
            "<&>",
            "--log",
            "/Users/ann lee/d.log",
        ],
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 30,
        "ExitTimeOut": 20,
        "ProcessType": "Interactive",
        "Umask": 0o077,
        "StandardErrorPath": "/Users/ann lee/d.log",
    }
    assert not launchd.has_manager()  # this is no Mac


def test_a_python_without_authorities_trusts_the_systems(monkeypatch, tmp_path) -> None:
    """As python.org's on macOS, until its certificates are installed."""
    bundle = tmp_path / "cert.pem"
    trustme.CA().cert_pem.write_to_path(bundle)
    monkeypatch.setattr(trust, "BUNDLES", (tmp_path / "none.pem", bundle))
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    assert trust.context(None).cert_store_stats()["x509_ca"] == 1
    own = tmp_path / "own.pem"
    own.write_bytes(bundle.read_bytes() + trustme.CA().cert_pem.bytes())
    assert trust.context(str(own)).cert_store_stats()["x509_ca"] == 2
    monkeypatch.setenv("SSL_CERT_FILE", str(own))
    assert ssl.get_default_verify_paths().cafile == str(own)
    assert trust.context(None).cert_store_stats()["x509_ca"] == 2
