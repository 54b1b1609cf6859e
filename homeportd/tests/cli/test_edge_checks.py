"""What the doctor of an edge finds, with servers of every kind where Traefik should be."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from homeportd.cli.doctor import edge_checks
from homeportd.edge.settings import EdgeSettings

Serve = Callable[..., int]
TRAEFIKS_OWN = "TRAEFIK DEFAULT CERT"


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server that gives one status to all, with TLS where a certificate is given; its port."""
    ending = []

    def start(status: int, certificate: trustme.LeafCert | None = None) -> int:
        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status if self.headers["Host"] == "tunnel.localhost" else 421)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(context)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ending.append(server)
        return server.server_port

    yield start
    for server in ending:
        server.shutdown()
        server.server_close()


def settings(port: int, scheme: str = "http") -> EdgeSettings:
    return EdgeSettings(
        url=f"{scheme}://{{name}}.tunnel.localhost:{port}",
        host="localhost",
        bind=("127.0.0.1",),
        routes_dir=Path("/nowhere"),
    )


def states(port: int, scheme: str = "http") -> dict[str, str]:
    found = edge_checks.edge(settings(port, scheme), "mend it")
    assert all(check.fix for check in found if check.state == "fail")
    return {check.name: check.state for check in found}


def test_a_way_that_is_open(serve: Serve) -> None:
    assert states(serve(426)) == {"traefik": "ok"}


def test_a_way_that_leads_elsewhere(serve: Serve) -> None:
    assert states(serve(404)) == {"traefik": "fail"}


def test_nobody_there(serve: Serve) -> None:
    [check] = edge_checks.edge(settings(1), "mend it")
    assert (check.state, check.fix) == ("fail", "mend it")


def test_something_that_is_not_http(serve: Serve) -> None:
    ca = trustme.CA()
    assert states(serve(426, ca.issue_cert("tunnel.localhost"))) == {"traefik": "fail"}


def test_a_certificate_is_told_from_traefiks_own(serve: Serve) -> None:
    ca = trustme.CA()
    signed = serve(426, ca.issue_cert("tunnel.localhost"))
    assert states(signed, "https") == {"traefik": "ok", "tls": "ok"}
    unsigned = serve(426, ca.issue_cert("tunnel.localhost", common_name=TRAEFIKS_OWN))
    assert states(unsigned, "https") == {"traefik": "ok", "tls": "fail"}


def test_names_that_the_dns_lacks(serve: Serve) -> None:
    real = settings(serve(426)).model_copy(update={"url": "http://{name}.tunnel.invalid:1"})
    check = edge_checks._names(real)
    assert check.state == "fail"
    assert check.fix == "add a DNS record for tunnel.invalid"
