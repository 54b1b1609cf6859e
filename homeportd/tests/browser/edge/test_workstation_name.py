"""A workstation that is reached by a name of its edge: two agents, TLS of a test authority, and a browser."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import trustme
from playwright.sync_api import expect
from websockets.sync.server import ServerConnection, serve

from ...cli.conftest import Homeport
from ...freeports import free_ports
from ...installation import Installation, machine, socket_folder, wait_for
from ...tunnels.cli.conftest import Edge, make_token
from ..conftest import watch_errors

PAGE = """<!doctype html><link rel=icon href=data:,><h1>shop</h1><p id=said></p><script>
const socket = new WebSocket(location.origin.replace("http", "ws") + "/hot");
socket.onmessage = (event) => { document.getElementById("said").textContent = event.data; };
</script>"""


class Desk:
    """A workstation named `desk` at an edge; `number` is a port with a dev server."""

    def __init__(self, edge: Edge, made: Installation, homeport: Homeport, authority: ssl.SSLContext) -> None:
        self.edge, self.made, self.homeport = edge, made, homeport
        self.number = made.first
        self._authority = authority

    def origin(self, name: str) -> str:
        """The origin of a name of the edge."""
        return f"https://{name}.tunnel.localhost:{self.edge.web}"

    @property
    def shop(self) -> str:
        """The origin of the dev server."""
        return self.origin(f"{self.number}-desk")

    def status(self, name: str, path: str = "/", source: str = "127.0.0.9") -> int:
        """The status that a visitor with this address gets, whose certificate check is strict."""
        host = f"{name}.tunnel.localhost"
        plain = socket.create_connection(("127.0.0.1", self.edge.web), 60, source_address=(source, 0))
        connection = http.client.HTTPSConnection(host, self.edge.web)
        with closing(self._authority.wrap_socket(plain, server_hostname=host)) as connection.sock:
            connection.request("GET", path, headers={"X-Forwarded-For": "203.0.113.99"})
            return connection.getresponse().status


@contextmanager
def dev_server(port: int) -> Iterator[None]:
    """A page that opens a WebSocket, and is told there what the server saw."""

    def hot_reload(connection: ServerConnection) -> None:
        headers = connection.request.headers
        connection.send(f"{headers['Origin']} {headers['Host']}")
        for message in connection:
            connection.send(message)

    def page(connection, request):
        if "Upgrade" in request.headers:
            return None
        answer = connection.respond(200, PAGE)
        del answer.headers["Content-Type"]
        answer.headers["Content-Type"] = "text/html"
        return answer

    with serve(hot_reload, "127.0.0.1", port, process_request=page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


@pytest.fixture(scope="module")
def desk(tmp_path_factory, dashboard: None) -> Iterator[Desk]:
    """The workstation, its edge, and the daemon between them."""
    authority = trustme.CA()
    with (
        tempfile.TemporaryDirectory(prefix="hp") as name,
        machine(Path(name)) as whole,
        socket_folder() as sockets,
    ):
        whole.stop("agent")
        edge = Edge(whole, authority.issue_cert("tunnel.localhost", "*.tunnel.localhost"))
        file = whole.folder / "ca.pem"
        authority.cert_pem.write_to_path(str(file))
        whole.start_agent()
        edge.start_traefik()
        front, first, *_, last = free_ports(20)
        made = Installation(tmp_path_factory.mktemp("desk"), sockets, front, first, last)
        origin = f"https://{{port}}-desk.tunnel.localhost:{edge.web}"
        made.configure(origin=origin, edge_name="desk")
        homeport = Homeport(made.config)
        homeport.environment |= {"HOME": str(sockets)}
        homeport.environment.pop("XDG_RUNTIME_DIR", None)
        context = ssl.create_default_context(cafile=str(file))
        try:
            made.start_agent()
            made.start_caddy(origin=origin, edge_name="desk")
            options = ("--edge", f"https://tunnel.localhost:{edge.web}", "--ca", str(file), "--token-stdin")
            done = homeport("init", *options, input=make_token(Homeport(edge.config)))
            assert done.returncode == 0, done.stderr
            assert homeport("daemon", "start").returncode == 0
            with dev_server(first):
                found = Desk(edge, made, homeport, context)
                wait_for(lambda: found.status("desk") == 200, "the dashboard is routed")
                wait_for(
                    lambda: first in [each["port"] for each in made.call("GET", "/api/ports")],
                    "the port is seen",
                )
                yield found
        finally:
            homeport("daemon", "stop")
            homeport.close()
            made.end()


def test_the_owner_works_there_as_at_home(desk, contexts, errors):
    page = contexts(ignore_https_errors=True).new_page()
    watch_errors(page, errors)
    page.goto(desk.made.login_link())
    expect(page.get_by_label("Filter ports and repos")).to_be_visible()
    assert page.url.startswith(f"{desk.origin('desk')}/")
    link = page.locator(f"[data-port='{desk.number}'] a[href^='{desk.shop}']").first
    expect(link).to_be_visible()
    expect(page.locator("[data-disconnected]")).to_have_count(0)
    page.goto(f"{desk.shop}/?from=phone")
    expect(page.locator("#said")).to_have_text(f"http://localhost:{desk.number} localhost:{desk.number}")
    assert page.url == f"{desk.shop}/?from=phone"
    cookies = {cookie["name"]: cookie["secure"] for cookie in page.context.cookies()}
    assert cookies["__Host-homeport_owner"]


def test_strangers_are_known_by_their_own_address(desk, contexts, errors):
    page = contexts(ignore_https_errors=True).new_page()
    watch_errors(page, errors)
    page.goto(f"{desk.shop}/")
    expect(page.get_by_role("heading", name="Log in with a link")).to_be_visible()
    assert page.url.startswith(f"{desk.origin('desk')}/")
    errors.clear()  # the browser complains of the 401
    desk.made.call("POST", f"/api/ports/{desk.number}/share", {"mode": "public", "allow": ["127.0.0.9"]})
    assert desk.status(f"{desk.number}-desk", source="127.0.0.9") == 200
    assert desk.status(f"{desk.number}-desk", source="127.0.0.8") == 403
    rows = desk.made.call("GET", f"/api/ports/{desk.number}/logs")
    assert {"127.0.0.9", "127.0.0.8"} <= {row["address"] for row in rows}


def test_the_edge_has_the_last_word(desk):
    owner = Homeport(desk.edge.config)
    names = ("desk", f"{desk.number}-desk")
    assert owner("reservations", "change", "desk", "--allow", "127.0.0.9").returncode == 0
    for name in names:
        wait_for(
            lambda name=name: desk.status(name, source="127.0.0.8") == 403, f"{name} is closed to others"
        )
        assert desk.status(name, "/api/health" if name == "desk" else "/") != 403
    assert owner("reservations", "change", "desk", "--allow-all").returncode == 0
    wait_for(lambda: desk.status("desk", source="127.0.0.8") == 200, "it is open again")
    # Names of its ports are no other token's.
    with tempfile.TemporaryDirectory(prefix="hp") as home:
        other = Homeport(Path(home) / "none.toml")
        other.environment |= {"HOME": home}
        options = ("--edge", desk.edge.url.replace("https", "http"), "--token-stdin")
        assert other("init", *options, input=make_token(owner)).returncode == 0
        refused = other("http", "3000", "--domain", f"{desk.number}-desk")
        assert (refused.returncode, "belongs to a port of the workstation desk" in refused.stderr) == (
            6,
            True,
        )


def test_a_passcode_of_its_name_opens_its_ports_too(desk, contexts):
    """The edge's passcode first, then what the workstation itself asks for: a share's password, the owner's login."""
    owner = Homeport(desk.edge.config)
    desk.made.call("POST", f"/api/ports/{desk.number}/share", {"mode": "password", "password": "horse"})
    done = owner("reservations", "change", "desk", "--passcode-stdin", input="sesame")
    assert done.returncode == 0, done.stderr
    try:
        wait_for(lambda: desk.status(f"{desk.number}-desk") == 401, "it is closed")
        wait_for(lambda: desk.status("desk") == 401, "the dashboard is closed")

        def enter(page, password):
            page.locator("input[type=password]").fill(password)
            page.keyboard.press("Enter")

        visitor = contexts(ignore_https_errors=True).new_page()
        visitor.goto(f"{desk.shop}/")
        expect(visitor.get_by_text(f"{desk.number}-desk.tunnel.localhost")).to_be_visible()
        enter(visitor, "sesame")
        expect(visitor.get_by_text(f"Port {desk.number} of this machine")).to_be_visible()
        enter(visitor, "horse")
        expect(visitor.get_by_role("heading", name="shop")).to_be_visible()
        expect(visitor.locator("#said")).to_have_text(
            f"http://localhost:{desk.number} localhost:{desk.number}"
        )
        page = contexts(ignore_https_errors=True).new_page()
        page.goto(desk.made.login_link())
        enter(page, "sesame")
        expect(page.get_by_label("Filter ports and repos")).to_be_visible()
        page.goto(f"{desk.shop}/")
        enter(page, "sesame")
        page.get_by_role("link", name="open it as its owner").click()
        expect(page.get_by_role("heading", name="shop")).to_be_visible()
    finally:
        desk.made.call("DELETE", f"/api/ports/{desk.number}/share")
        owner("reservations", "change", "desk", "--no-passcode")
        wait_for(lambda: desk.status("desk") == 200, "it is open again")


def test_the_daemon_follows_the_settings(desk):
    text = desk.made.config.read_text()
    desk.made.config.write_text(text.replace('edge_name = "desk"\n', ""))

    def names() -> list[str]:
        return [
            each["name"] for each in json.loads(desk.homeport("daemon", "status", "--json").stdout)["tunnels"]
        ]

    try:
        wait_for(lambda: names() == [], "the tunnel is given up")
    finally:
        desk.made.config.write_text(text)
    wait_for(lambda: names() == ["desk"], "it is back")
    wait_for(lambda: desk.status("desk") == 200, "the dashboard is routed")
