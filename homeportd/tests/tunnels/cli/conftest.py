"""The installed command against a real edge: an agent in a process of its own, with the real Traefik before it."""

from __future__ import annotations

import contextlib
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import trustme

from ...cli.conftest import Homeport
from ...echo import echoing
from ...freeports import free_port, free_ports
from ...installation import Machine, machine
from ...traefik import SECURE, configure

PATIENCE = 60.0


def until(true: Callable[[], object], what: str = "", patience: float = PATIENCE) -> None:
    """Wait for a condition."""
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, f"it did not come true: {what}"
        time.sleep(0.02)


def has_ended(pid: int) -> bool:
    """Whether a process has ended, which whoever it belongs to may learn of at any moment."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class Edge:
    """A workstation that is an edge as well; with a certificate Traefik speaks TLS."""

    def __init__(self, whole: Machine, certificate: trustme.LeafCert | None = None) -> None:
        self.whole = whole
        self.certificate = certificate
        self.scheme = "https" if certificate else "http"
        self.listen, self.web = free_port(), free_port()
        self.first, *_, last = free_ports(20)
        self.url = f"http://127.0.0.1:{self.listen}"
        self.config = whole.config
        whole.add_settings(
            "edge",
            url=f"{self.scheme}://{{name}}.tunnel.localhost:{self.web}",
            host="localhost",
            bind=["127.0.0.1", "::1"],
            listen=f"127.0.0.1:{self.listen}",
            tcp_ports=f"{self.first}-{last}",
            udp_ports=f"{self.first}-{last}",
            routes_dir=f"{whole.folder}/routes",
        )
        (whole.folder / "routes").mkdir()

    def start_traefik(self) -> None:
        """Start Traefik with the routes of the edge, and the one that Ansible writes."""
        folder, pairs = self.whole.folder, ()
        if self.certificate:
            pairs = ((folder / "cert.pem", folder / "key.pem"),)
            for file, blobs in zip(
                pairs[0], (self.certificate.cert_chain_pems, [self.certificate.private_key_pem]), strict=True
            ):
                file.write_bytes(b"".join(blob.bytes() for blob in blobs))
        command = configure(
            folder,
            folder / "routes",
            f"127.0.0.1:{self.listen}",
            {SECURE if self.certificate else "web": self.web},
            entry_point={"transport": {"lifeCycle": {"graceTimeOut": "1s"}}},
            certificates=pairs,
        )
        self.whole.start("traefik", *command)
        if not self.certificate:
            until(lambda: self.visit("admin", "/api/health")[0] == 200, "Traefik routes")

    def kill(self) -> None:
        """As if the power failed."""
        self.whole.stop("agent", signal.SIGKILL)

    def visit(self, name: str, path: str = "/", **headers: str) -> tuple[int, str]:
        """What a visitor of a name gets."""
        import http.client

        connection = http.client.HTTPConnection("127.0.0.1", self.web, timeout=30)
        with contextlib.closing(connection):
            try:
                connection.request(
                    "GET", path, headers={"Host": f"{name}.tunnel.localhost:{self.web}", **headers}
                )
                answer = connection.getresponse()
                return answer.status, answer.read().decode(errors="replace")
            except OSError as error:
                return 0, str(error)


@pytest.fixture(scope="session")
def edge() -> Iterator[Edge]:
    """One edge for all tests of this folder; a test that kills it starts it again."""
    with tempfile.TemporaryDirectory(prefix="hp") as name, machine(Path(name)) as whole:
        whole.stop("agent")
        made = Edge(whole)
        whole.start_agent()
        made.start_traefik()
        yield made


@pytest.fixture(scope="session")
def owner(edge: Edge) -> Homeport:
    """The command line of the edge's owner, on the edge."""
    return Homeport(edge.config)


@pytest.fixture(scope="session")
def token(owner: Homeport) -> str:
    """A token for tunnels. The ports that it once chose stay its own, so that tests share it."""
    return make_token(owner)


def make_token(owner: Homeport) -> str:
    """Another one."""
    return owner("token", "create", "laptop", "--scope", "tunnel").stdout.splitlines()[-1]


@pytest.fixture
def bare(edge: Edge) -> Iterator[Homeport]:
    """The command line of a user on another machine, who has no edge yet; ends the daemon after the test."""
    with tempfile.TemporaryDirectory(prefix="hp") as home:
        made = Homeport(Path(home) / "none.toml")
        made.environment["HOME"] = home
        made.environment.pop("XDG_RUNTIME_DIR", None)
        yield made
        made("daemon", "stop")
        made.close()


@pytest.fixture
def homeport(bare: Homeport, edge: Edge, token: str) -> Homeport:
    """The same with the edge set up."""
    done = bare("init", "--edge", edge.url, "--token-stdin", input=token)
    assert done.returncode == 0, done.stderr
    return bare


@pytest.fixture
def server() -> Iterator[int]:
    """A local server that echoes; the value is its port."""
    with echoing() as port:
        yield port


def echoes(address: str) -> bool:
    """Whether a visitor of a TCP address hears an echo."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), PATIENCE) as connection:
            connection.sendall(b"hello")
            return connection.recv(5, socket.MSG_WAITALL) == b"hello"
    except OSError:
        return False


def end(process, number: int = signal.SIGINT) -> tuple[int, str, str]:
    """Signal a command and read the rest."""
    process.send_signal(number)
    out, errors = process.communicate(timeout=PATIENCE)
    return process.returncode, out, errors
