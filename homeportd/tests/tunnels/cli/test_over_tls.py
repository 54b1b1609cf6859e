"""The whole way as a person has it: the installed command, TLS and HTTP/2 at the real Traefik, a web server behind."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from websockets.sync.client import connect

from ...cli.conftest import Homeport
from ...installation import machine
from .conftest import PATIENCE, Edge, echoes, end, free_port, make_token, until

DEV_SERVER = Path(__file__).parents[2] / "edge" / "devserver.py"

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="visits with curl")


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    """An authority that this machine does not know."""
    return trustme.CA()


@pytest.fixture(scope="module")
def edge(ca: trustme.CA) -> Iterator[Edge]:
    """An edge behind TLS alone."""
    with tempfile.TemporaryDirectory(prefix="hp") as name, machine(Path(name)) as whole:
        whole.stop("agent")
        made = Edge(whole, ca.issue_cert("tunnel.localhost", "*.tunnel.localhost"))
        made.url = f"https://tunnel.localhost:{made.web}"
        ca.cert_pem.write_to_path(str(whole.folder / "ca.pem"))
        with made.config.open("a") as file:  # the edge is its own client's, too: see the last test
            file.write(f'acme_ca = "{whole.folder}/ca.pem"\n')
        whole.start_agent()
        made.start_traefik()
        until(lambda: curl(made, "admin", "/api/health")[0] == 200, "Traefik routes")
        yield made


@pytest.fixture(scope="module")
def owner(edge: Edge) -> Homeport:
    return Homeport(edge.config)


@pytest.fixture(scope="module")
def token(owner: Homeport) -> str:
    return make_token(owner)


@pytest.fixture
def homeport(bare: Homeport, edge: Edge, token: str) -> Homeport:
    done = bare(
        "init", "--edge", edge.url, "--ca", str(edge.whole.folder / "ca.pem"), "--token-stdin", input=token
    )
    assert done.returncode == 0, done.stderr
    return bare


@pytest.fixture(scope="module")
def web(edge: Edge) -> int:
    """A server that tells what it was asked; its port."""
    port = free_port()
    command = ("-m", "uvicorn", "devserver:app", "--app-dir", str(DEV_SERVER.parent), "--port", str(port))
    edge.whole.start(
        "web",
        sys.executable,
        *command,
        "--lifespan",
        "off",
        "--ws",
        "websockets-sansio",
        "--timeout-graceful-shutdown",
        "1",
    )
    edge.whole.wait("web", lambda: _listens(port))
    return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def curl(edge: Edge, name: str, path: str = "/", *more: str) -> tuple[int, str, str]:
    """The status, the version of HTTP and the body."""
    host = f"{name}.tunnel.localhost"
    done = subprocess.run(
        [
            *("curl", "-sS", "--max-time", "20", "--cacert", str(edge.whole.folder / "ca.pem")),
            *("--resolve", f"{host}:{edge.web}:127.0.0.1", "-w", "\n%{http_code} %{http_version}"),
            *more,
            f"https://{host}:{edge.web}{path}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    body, _, last = done.stdout.rpartition("\n")
    status, _, version = last.partition(" ")
    return int(status or 0), version, body


@contextmanager
def opened(homeport: Homeport, *arguments: str) -> Iterator[str]:
    """A tunnel in the foreground; its address."""
    process = homeport.start(*arguments)
    try:
        yield process.stdout.readline().strip()
    finally:
        code, _, errors = end(process)
    assert (code, errors) == (130, "")


def test_an_authority_that_is_not_known(bare, edge, token) -> None:
    done = bare("init", "--edge", edge.url, "--token-stdin", input=token)
    assert (done.returncode, "is not trusted" in done.stderr, "--ca" in done.stderr) == (3, True, True)


@pytest.mark.parametrize(
    ("days", "said"), [(1, "is likely behind"), (-400, "or this machine's clock is ahead")]
)
def test_a_certificate_and_this_clock_disagree(bare, edge, ca, token, days, said) -> None:
    begin = datetime.now(UTC) + timedelta(days=days)
    name = f"clock{days % 1000}.localhost"
    leaf = ca.issue_cert(name, not_before=begin, not_after=begin + timedelta(days=30))
    pair = {"certFile": "cert", "keyFile": "key"}
    for kind, blobs in (("certFile", leaf.cert_chain_pems), ("keyFile", [leaf.private_key_pem])):
        file = edge.whole.folder / f"{name}-{kind}.pem"
        file.write_bytes(b"".join(blob.bytes() for blob in blobs))
        pair[kind] = str(file)
    (edge.whole.folder / "routes" / f"{name}.yml").write_text(json.dumps({"tls": {"certificates": [pair]}}))

    def ask() -> subprocess.CompletedProcess[str]:
        ca_file = str(edge.whole.folder / "ca.pem")
        return bare(
            "init", "--edge", f"https://{name}:{edge.web}", "--ca", ca_file, "--token-stdin", input=token
        )

    until(lambda: ask().returncode == 9, "Traefik has that certificate")
    assert said in ask().stderr


def test_http_2_in_front_of_a_dev_server(homeport, edge, web) -> None:
    with opened(homeport, "http", str(web), "--domain", "shop") as address:
        assert address == f"https://shop.tunnel.localhost:{edge.web}"
        until(lambda: curl(edge, "shop")[0] == 200, "the route is there")
        status, version, body = curl(edge, "shop", "/a?b=c", "--http2", "-H", f"Origin: {address}")
        seen = json.loads(body)["headers"]
        assert (status, version) == (200, "2")
        assert (seen["host"], seen["origin"]) == (f"localhost:{web}", f"http://localhost:{web}")
        assert seen["x-forwarded-proto"] == "http"


def test_an_upload_that_waits_to_be_asked_for(homeport, edge, web, tmp_path) -> None:
    payload = os.urandom(48 * 1024 * 1024)
    (tmp_path / "upload").write_bytes(payload)
    with opened(homeport, "http", f"{web}=up"):
        until(lambda: curl(edge, "up")[0] == 200, "the route is there")
        for version in ("--http1.1", "--http2"):
            status, _, body = curl(
                edge,
                "up",
                "/put",
                *(version, "-T", str(tmp_path / "upload"), "-H", "Expect: 100-continue"),
            )
            assert status == 200
            assert json.loads(body)["sha256"] == hashlib.sha256(payload).hexdigest()


def test_websockets_and_events(homeport, edge, ca, web) -> None:
    context = ssl.create_default_context()
    ca.configure_trust(context)
    with opened(homeport, "http", f"{web}=live"):
        until(lambda: curl(edge, "live")[0] == 200, "the route is there")
        with (
            socket.create_connection(("127.0.0.1", edge.web)) as sock,
            connect(f"wss://live.tunnel.localhost:{edge.web}/socket", sock=sock, ssl=context) as ws,
        ):
            for text in ("hello", "x" * 200_000):
                ws.send(text)
                assert ws.recv(timeout=PATIENCE) == text[::-1]
        events = subprocess.Popen(
            [
                *("curl", "-sSN", "--http2", "--cacert", str(edge.whole.folder / "ca.pem"), "--resolve"),
                f"live.tunnel.localhost:{edge.web}:127.0.0.1",
                f"https://live.tunnel.localhost:{edge.web}/events",
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(2):
            assert [events.stdout.readline() for _ in range(2)] == [f"data: {number}\n", "\n"]
            assert curl(edge, "live", "/next")[0] == 200  # the server makes no other before
        events.kill()
        events.communicate()


def test_tcp_and_udp_over_the_same_links(homeport, edge, server) -> None:
    with opened(homeport, "tcp", f"{server}={edge.first}") as address:
        assert echoes(address)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as local:
        local.bind(("127.0.0.1", 0))

        def echo() -> None:
            for _ in range(3):
                data, peer = local.recvfrom(70_000)
                local.sendto(data, peer)

        threading.Thread(target=echo, daemon=True).start()
        with (
            opened(homeport, "udp", f"{local.getsockname()[1]}={edge.first}"),
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as visitor,
        ):
            visitor.settimeout(PATIENCE)
            for payload in (b"hello", b"", os.urandom(65_507)):
                visitor.sendto(payload, ("127.0.0.1", edge.first))
                assert visitor.recv(70_000) == payload


def test_the_daemon_and_a_passcode_from_a_pipe(homeport, edge, web) -> None:
    assert homeport("daemon", "start").returncode == 0
    done = homeport("tunnels", "add", "http", f"{web}=vault", "--passcode-stdin", input="open sesame\n")
    assert (done.returncode, done.stdout) == (0, f"https://vault.tunnel.localhost:{edge.web}\n"), done.stderr
    until(lambda: curl(edge, "vault")[0] == 401, "the passcode is asked for")
    assert curl(edge, "vault", "/", "-u", ":open")[0] == 401
    assert curl(edge, "vault", "/", "-u", ":open sesame")[0] == 200
    shown = homeport("daemon", "status", "--json").stdout
    assert json.loads(shown)["tunnels"][0]["passcode"] is True
    assert "open sesame" not in shown


def test_a_passcode_that_is_asked_for(homeport, edge, web) -> None:
    terminal = homeport.on_terminal("http", f"{web}=asked", "--passcode")
    for prompt in ("New passcode for the tunnel: ", "The same again: "):
        terminal.wait_for(prompt)
        terminal.type("open sesame\n")
    terminal.wait_for("Ctrl-C ends this.")
    until(lambda: curl(edge, "asked", "/", "-u", ":open sesame")[0] == 200, "it opens")
    assert "open sesame" not in terminal.text
    terminal.type("\x03")
    assert terminal.finish() == 130


def test_the_client_s_passcode_replaces_that_of_the_reservation(homeport, owner, edge, web) -> None:
    done = owner("reservations", "add", "http", "both", "--passcode-stdin", input="of the owner")
    assert done.returncode == 0, done.stderr
    homeport("daemon", "start")
    assert homeport("tunnels", "add", "http", f"{web}=both").returncode == 0
    until(lambda: curl(edge, "both", "/", "-u", ":of the owner")[0] == 200, "the reservation's holds")
    assert curl(edge, "both")[0] == 401
    added = homeport("tunnels", "add", "http", f"{web}=both", "--passcode-stdin", input="of the client")
    assert added.returncode == 0, added.stderr
    until(lambda: curl(edge, "both", "/", "-u", ":of the client")[0] == 200, "the client's holds")
    assert curl(edge, "both", "/", "-u", ":of the owner")[0] == 401


def test_the_edge_itself_needs_no_init(edge: Edge, web: int) -> None:
    """Its certificate is judged as elsewhere: by the authority that the agent's settings name."""
    with tempfile.TemporaryDirectory(prefix="hp") as home:
        own = Homeport(edge.config)
        own.environment["HOME"] = home
        command = own.start("http", f"{web}=own")
        assert command.stdout is not None
        address = command.stdout.readline().split()[0]
        assert address == f"https://own.tunnel.localhost:{edge.web}"
        until(lambda: curl(edge, "own", "/")[0] == 200, "the route")
        code, _, errors = end(command)
        assert (code, f"this machine's edge, https://tunnel.localhost:{edge.web}" in errors) == (130, True)
