"""A workstation that is an edge as well: the agent, Caddy and Traefik in front of it, real clients behind it."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from ...cli.conftest import HOMEPORT
from ...echo import echoing
from ...freeports import free_ports
from ...installation import listens, running, socket_folder, stop, wait_for
from ...traefik import configure
from ..conftest import DESKTOP, PORTS_A_TEST, Errors, watch_errors
from ..workstation import SPAN, Workstation


@dataclass
class Edge(Workstation):
    """The agent as an edge: `web` is Traefik's port, `listen` where it reaches the agent."""

    web: int = 0
    listen: int = 0

    @property
    def admin(self) -> str:
        """The edge's own origin of the dashboard."""
        return f"http://admin.tunnel.localhost:{self.web}"

    def admin_link(self) -> str:
        """A login link at the admin origin."""
        return self.login_link().replace(self.url, self.admin)

    def token(self, name: str = "laptop") -> str:
        """A fresh token for tunnels."""
        return str(self.call("POST", "/api/tokens", {"name": name, "scope": "tunnel"})["token"])

    def visit(self, name: str, path: str = "/") -> tuple[int, bytes]:
        """What a visitor of an HTTP name gets."""
        connection = http.client.HTTPConnection("127.0.0.1", self.web, timeout=60)
        with closing(connection):
            connection.request("GET", path, headers={"Host": f"{name}.tunnel.localhost:{self.web}"})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def tunnel(self, label: str) -> dict[str, Any]:
        """A tunnel as the API shows it, once it is live."""

        def find() -> Any:
            listed = self.call("GET", "/api/tunnels")
            return next(
                (t for t in listed if label in (t["name"], str(t["port"])) and t["state"] == "live"), None
            )

        return dict(wait_for(find, f"tunnel {label} is live"))

    def routed(self, name: str) -> None:
        """Wait until Traefik leads to a live HTTP name, which reads a route after a moment."""
        self.tunnel(name)
        wait_for(lambda: self.visit(name)[0] == 200, f"{name} is routed")

    def reset(self) -> None:
        """As of a workstation; nothing is reserved, and no token is left."""
        super().reset()
        for domain in self.call("GET", "/api/domains"):
            self.call("DELETE", f"/api/domains/{domain['domain']}")
        for kept in self.call("GET", "/api/reservations"):
            self.call("DELETE", f"/api/reservations/{kept['id']}")
        for token in self.call("GET", "/api/tokens"):
            self.call("DELETE", f"/api/tokens/{token['id']}")
        wait_for(lambda: not self.call("GET", "/api/tunnels"), "the tunnels are gone")


class Client:
    """A machine with servers: its own home, the real command line."""

    def __init__(self, edge: Edge, secret: str) -> None:
        self._folder = tempfile.mkdtemp(prefix="hp")
        self._environment = {
            **{k: v for k, v in os.environ.items() if k != "XDG_RUNTIME_DIR"},
            "HOME": self._folder,
            "HOMEPORT_CONFIG": f"{self._folder}/none.toml",
        }
        self.processes: list[subprocess.Popen[bytes]] = []
        done = subprocess.run(
            [HOMEPORT, "init", "--edge", f"http://127.0.0.1:{edge.listen}", "--token-stdin"],
            input=secret.encode(),
            env=self._environment,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def open(self, *arguments: str) -> subprocess.Popen[bytes]:
        """`homeport http 3000 --domain myapp` and the like, in the foreground."""
        process = subprocess.Popen(
            [HOMEPORT, *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.processes.append(process)
        return process

    def close(self) -> None:
        """End every tunnel."""
        for process in self.processes:
            stop(process)
        shutil.rmtree(self._folder)


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, dashboard: None) -> Iterator[Edge]:
    """One edge for the tests of a file."""
    front, web, listen, *ports = free_ports(SPAN)
    folder = tmp_path_factory.mktemp("edge")
    routes = folder / "routes"
    routes.mkdir()
    with socket_folder() as sockets:
        made = Edge(folder, sockets, front, ports[0], ports[-101], web=web, listen=listen)
        made.configure(own_ports=[front, web, listen])
        made.add_settings(
            "edge",
            url=f"http://{{name}}.tunnel.localhost:{web}",
            host="localhost",
            bind=["127.0.0.1"],
            tcp_ports=f"{ports[-100]}-{ports[-51]}",
            udp_ports=f"{ports[-50]}-{ports[-1]}",
            listen=f"127.0.0.1:{listen}",
            routes_dir=str(routes),
            access_log=f"{folder}/access.json",
            domain_resolver="homeport-domains",
            dns_server="127.0.0.1:9",
        )
        with running(made):
            log = {"filePath": f"{folder}/access.json", "format": "json"}
            made.start(
                "traefik", *configure(folder, routes, f"127.0.0.1:{listen}", {"web": web}, accessLog=log)
            )
            made.wait("traefik", lambda: listens(web) and made.visit("admin", "/api/health")[0] == 200)
            yield made


@pytest.fixture
def workstation(agent: Edge) -> Iterator[Edge]:
    """The edge, empty again after the test."""
    agent.first += PORTS_A_TEST
    yield agent
    agent.reset()


@pytest.fixture
def client(workstation: Edge) -> Iterator[Client]:
    """A laptop that knows the edge."""
    made = Client(workstation, workstation.token())
    yield made
    made.close()


@pytest.fixture
def web_server() -> Iterator[int]:
    """A local web server; `/big` is a megabyte."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"x" * 1_000_000 if self.path == "/big" else b"hello"
            self.send_response(404 if self.path == "/none" else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def echo_server() -> Iterator[int]:
    """A local TCP server that sends back what it gets."""
    with echoing() as port:
        yield port


def hear(visitor: socket.socket, size: int) -> bytes:
    """So many bytes, or fewer when the visitor was turned away."""
    seen = b""
    while len(seen) < size and (part := visitor.recv(size - len(seen))):
        seen += part
    return seen


def echo(port: int, data: bytes) -> socket.socket:
    """A visitor of a TCP port who has heard an echo of `data` and stays."""
    visitor = socket.create_connection(("127.0.0.1", port), 60)
    visitor.sendall(data)
    assert hear(visitor, len(data)) == data, "the visitor was turned away"
    return visitor


@contextmanager
def visiting(workstation: Edge, name: str, path: str) -> Iterator[None]:
    """Somebody visits again and again, so that something moves for as long as it is looked for."""
    done = threading.Event()

    def visit() -> None:
        while not done.wait(0.1):
            seen.append(workstation.visit(name, path)[0])

    seen: list[int] = []
    visitor = threading.Thread(target=visit)
    visitor.start()
    try:
        yield
    finally:
        done.set()
        visitor.join()
    assert set(seen) == {200}


@pytest.fixture
def at_edge(
    workstation: Edge, contexts: Callable[..., BrowserContext], errors: Errors
) -> Callable[..., Page]:
    """A page of the dashboard at the admin origin, logged in, at the page that is asked for."""

    def enter(page_name: str = "tunnels", options: dict[str, Any] | None = None) -> Page:
        page = contexts(**(options or DESKTOP)).new_page()
        watch_errors(page, errors)
        page.goto(workstation.admin_link())
        page.goto(f"{workstation.admin}/#/{page_name}")
        page.get_by_role("navigation", name="Places").wait_for()
        return page

    return enter
