"""The PROXY protocol of TCP tunnels, read by the real Caddy behind a real edge."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator

import pytest

from ...freeports import free_port
from ...installation import Installation, listens, program
from .conftest import PATIENCE, end

VISITORS = ("127.0.0.9", "::1")


@pytest.fixture(scope="module")
def reader(tmp_path_factory) -> Iterator[int]:
    """A server that reads the PROXY protocol and says whom it takes its visitor for; the value is its port."""
    folder, port = tmp_path_factory.mktemp("reader"), free_port()
    made = Installation(folder, folder, port, 0, 0)
    options = "admin off\n persist_config off\n auto_https off\n"
    wrapper = "listener_wrappers {\n proxy_protocol {\n allow 127.0.0.1/32\n fallback_policy reject\n }\n }"
    site = f"http://:{port} {{\n bind 127.0.0.1\n respond `{{remote_host}} {{http.request.local.host}}`\n}}"
    (folder / "Caddyfile").write_text(f"{{\n {options} servers {{\n {wrapper}\n }}\n}}\n{site}\n")
    made.start(
        "caddy", program("caddy"), "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"
    )
    try:
        made.wait("caddy", lambda: listens(port))
        yield port
    finally:
        made.end()


def visit(port: int, source: str) -> str:
    """The last line that a visitor with this address gets from a TCP port of the edge."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    with contextlib.closing(socket.socket(family)) as visitor:
        visitor.settimeout(PATIENCE)
        visitor.bind((source, 0))
        visitor.connect(("::1" if ":" in source else "127.0.0.1", port))
        visitor.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: visitor.recv(65536), b"")).decode().splitlines()[-1]


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_server_sees_the_visitors_own_address(homeport, owner, edge, reader, version) -> None:
    process = homeport.start(
        "tcp", str(reader), "--reserve-port", str(edge.first + 12), "--proxy-protocol", version
    )
    try:
        assert process.stdout.readline() == f"localhost:{edge.first + 12}\n"
        for source in VISITORS:
            server = "::1" if ":" in source else "127.0.0.1"
            assert visit(edge.first + 12, source) == f"{source} {server}"
        listed = json.loads(owner("tunnels", "list", "--json").stdout)["edge"]
        assert [t["proxy_protocol"] for t in listed if t["port"] == edge.first + 12] == [version]
    finally:
        end(process)


def test_the_daemons_tunnel_has_it(homeport, edge, reader) -> None:
    assert homeport("daemon", "start").returncode == 0
    target = f"{reader}={edge.first + 13}"
    assert homeport("tunnels", "add", "tcp", target, "--proxy-protocol", "v2").returncode == 0
    assert visit(edge.first + 13, VISITORS[0]).startswith(VISITORS[0])
    shown = json.loads(homeport("daemon", "status", "--json").stdout)["tunnels"]
    assert [each["proxy_protocol"] for each in shown] == ["v2"]
    assert "PROXY v2" in homeport("tunnels", "list").stdout


@pytest.mark.parametrize(
    "command", [("http",), ("udp",), ("tunnels", "add", "http"), ("tunnels", "add", "udp")]
)
def test_other_kinds_are_told_why_not(bare, command) -> None:
    done = bare(*command, "3000", "--proxy-protocol", "v2")
    reason = "X-Forwarded-For" if "http" in command else "UDP has none"
    assert (done.returncode, reason in done.stderr) == (2, True), done.stderr


def test_there_are_two_versions(bare) -> None:
    done = bare("tcp", "3000", "--proxy-protocol", "v3")
    assert (done.returncode, "fix: write v1 or v2" in done.stderr) == (2, True)
