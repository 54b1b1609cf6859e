"""A port of a workstation that is shared by its edge: a browser there stays at the edge's name."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import expect

from ...cli.conftest import Homeport
from ...installation import wait_for
from ..conftest import watch_errors

PASSWORD = "open sesame"


@contextmanager
def dev_server(port: int) -> Iterator[None]:
    """A server that believes to be on localhost, and redirects there."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            if path == "/login":
                self.send_response(302)
                self.send_header("Location", f"http://localhost:{port}/app?{query}")
            else:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
            self.end_headers()
            if path != "/login":
                self.wfile.write(b"<!doctype html><link rel=icon href=data:,><h1>Hello from shop</h1>")

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


def test_a_password_opens_the_page_at_the_edges_name(workstation, contexts, errors):
    port = workstation.first
    with dev_server(port):
        opens(workstation, contexts, errors, port)


def opens(workstation, contexts, errors, port):
    wait_for(
        lambda: port in [each["port"] for each in workstation.call("GET", "/api/ports")], "the port is seen"
    )
    here = Homeport(workstation.config)
    here.environment |= {"HOME": str(workstation.sockets)}  # a short path
    here.environment.pop("XDG_RUNTIME_DIR", None)
    assert here("daemon", "start").returncode == 0
    try:
        options = ("--password-stdin", "--max-uses", "1", "--via", "edge", "--domain", "shop")
        done = here("share", str(port), *options, input=PASSWORD)
        address = done.stdout.splitlines()[-1]
        assert address == f"http://shop.tunnel.localhost:{workstation.web}", done.stderr
        wait_for(lambda: workstation.visit("shop")[0] == 401, "the name is routed")
        page = contexts().new_page()
        watch_errors(page, errors)
        page.goto(f"{address}/login?from=phone")
        errors.clear()  # the browser complains of the 401
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Open").click()
        expect(page.get_by_role("heading", name="Hello from shop")).to_be_visible()
        assert page.url == f"{address}/app?from=phone"
        page.reload()
        expect(page.get_by_role("heading", name="Hello from shop")).to_be_visible()
        assert workstation.call("GET", f"/api/ports/{port}/share")["uses"] == 1
        page.goto(f"{address}/.homeport/logout")
        page.goto(f"{address}/")
        expect(page.get_by_role("heading", name="This password is used up")).to_be_visible()
        errors.clear()
    finally:
        here("daemon", "stop")
        here.close()
        Path(here.environment["HOME"], ".config/homeport/edge.toml").unlink(missing_ok=True)
