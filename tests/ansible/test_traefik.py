"""Traefik's files, tried in a real Traefik by the agent's own check; the agent's settings of an edge."""

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from homeportd import settings

Render = Callable[..., str]
Decide = Callable[..., tuple[dict[str, Any], list[dict[str, str]]]]
Defaults = Callable[[str], dict[str, Any]]
Files = Callable[..., tuple[Path, Path, dict[str, Any]]]

BIN = Path(sys.executable).parent
VPS = {"groups": ["edge"], "homeport_edge_url": "https://{name}.tunnel.example.com"}
WILDCARD = {**VPS, "traefik_dns_provider": "rfc2136"}
LAPTOP = {"groups": ["workstation", "edge"], "traefik_bind": "127.0.0.1"}


@pytest.fixture
def files(render: Render, decide: Decide, defaults: Defaults, tmp_path: Path) -> Files:
    """Traefik's settings and the edge's routes for a host, and what is in the first."""

    def rendered(variables: dict[str, Any]) -> tuple[Path, Path, dict[str, Any]]:
        fact, problems = decide({}, variables)
        assert problems == []
        values: dict[str, Any] = {"homeport": fact}
        static, routes = tmp_path / "traefik.yml", tmp_path / "edge.yml"
        static.write_text(render("traefik", "{{ traefik_text }}", **values))
        routes.write_text(render("traefik", "{{ traefik_routes_text }}", **values))
        return static, routes, json.loads(static.read_text().partition("\n")[2])

    return rendered


def check(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("traefik", path=str(BIN))
    assert program is not None
    command = [BIN / "homeportd", "check-traefik", "--program", program, *arguments]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize("variables", [VPS, WILDCARD, LAPTOP], ids=["vps", "wildcard", "laptop"])
def test_traefik_accepts_its_files(files: Files, variables: dict[str, Any]) -> None:
    static, routes, _ = files(variables)
    for arguments in ((static,), (static, "--routes", routes)):
        result = check(*arguments)
        assert (result.returncode, result.stderr) == (0, "")


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("what", "old", "new", "word"),
    [
        (0, "idleTimeout", "idleTimeouts", "idleTimeouts"),
        (0, '"INFO"', "INFO", "is not JSON"),
        (0, '"1h"', '"soon"', "soon"),
        (1, "Host(`tunnel", "Hostage(`tunnel", "Hostage"),
        (1, '"service": "edge-agent"', '"service": "edge-stranger"', "edge-stranger"),
        (1, "{", "[", "is not JSON"),
    ],
)
def test_traefik_refuses_mistakes(files: Files, what: int, old: str, new: str, word: str) -> None:
    static, routes, _ = files(VPS)
    change((static, routes)[what], old, new)
    result = check(static, "--routes", routes)
    assert result.returncode == 3
    assert word in result.stderr
    assert result.stderr.count("fix: ") == 1


def test_no_certificate_without_tls_and_no_door_without_it(files: Files) -> None:
    _, _, laptop = files(LAPTOP)
    assert "certificatesResolvers" not in laptop
    assert {name: entry["address"] for name, entry in laptop["entryPoints"].items()} == {
        "web": "127.0.0.1:8081",
        "metrics": "127.0.0.1:7071",
    }
    _, _, vps = files(VPS)
    assert set(vps["entryPoints"]) == {"web", "websecure", "metrics"}
    assert vps["entryPoints"]["web"]["http"]["redirections"]["entryPoint"]["to"] == "websecure"
    assert "redirections" not in vps["entryPoints"]["websecure"]["http"]
    assert set(vps["certificatesResolvers"]) == {"homeport-domains"}
    _, routes, wildcard = files(WILDCARD)
    assert wildcard["certificatesResolvers"]["homeport-wildcard"]["acme"]["dnsChallenge"] == {
        "provider": "rfc2136"
    }
    assert '"*.tunnel.example.com"' in routes.read_text()


class Mirror(BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, *_: object) -> None:
        pass


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def front(files: Files, tmp_path: Path) -> Iterator[int]:
    """The port of a Traefik by our settings, ahead of a mirror."""
    _, _, made = files(LAPTOP)
    port = free_port()
    made["entryPoints"]["web"]["address"] = f"127.0.0.1:{port}"
    made["entryPoints"]["metrics"]["address"] = f"127.0.0.1:{free_port()}"
    made["log"]["filePath"], made["accessLog"]["filePath"] = str(tmp_path / "log"), str(tmp_path / "access")
    made["providers"]["file"]["directory"] = str(tmp_path / "routes")
    with ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as mirror:
        threading.Thread(target=mirror.serve_forever, daemon=True).start()
        servers = [{"url": f"http://127.0.0.1:{mirror.server_port}"}]
        router = {"rule": "PathPrefix(`/`)", "service": "mirror", "entryPoints": ["web"]}
        (tmp_path / "routes").mkdir()
        (tmp_path / "routes/mirror.yml").write_text(
            json.dumps(
                {
                    "http": {
                        "services": {"mirror": {"loadBalancer": {"servers": servers}}},
                        "routers": {"all": router},
                    }
                }
            )
        )
        (tmp_path / "front.yml").write_text(json.dumps(made))
        program = shutil.which("traefik", path=str(BIN)) or "traefik"
        process = subprocess.Popen([program, f"--configFile={tmp_path / 'front.yml'}"])
        try:
            deadline = time.monotonic() + 60
            while ask(port, "/") != "/":
                assert time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(0.05)
            yield port
        finally:
            process.terminate()
            process.wait()
            mirror.shutdown()


def ask(port: int, target: str) -> str:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", target)
        return connection.getresponse().read().decode()
    except OSError:
        return ""
    finally:
        connection.close()


def test_a_server_sees_what_the_visitor_asked_for(front: int, tmp_path: Path) -> None:
    targets = ("/a%2Fb//c/../d;e?q=a%3Bb&r=%26", "/a%5Cb%23?x", "/?")
    for target in targets:
        assert ask(front, target) == target
    # The log on disk has the path alone.
    access = tmp_path / "access"
    deadline = time.monotonic() + 60
    while "/a%5Cb%23" not in access.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    logged = {json.loads(line)["RequestPath"] for line in access.read_text().splitlines()}
    assert logged == {"/", *(target.partition("?")[0] for target in targets)}
    assert "?" not in access.read_text()
    for query in ("q=a;b&r=1", "q=;"):
        _, _, seen = ask(front, f"/?{query}").partition("?")
        assert parse_qsl(seen) == parse_qsl(query)  # it is written otherwise, and says the same


def test_only_the_dashboard_is_compressed(files: Files) -> None:
    _, routes, _ = files(VPS)
    routers = json.loads(routes.read_text().partition("\n")[2])["http"]["routers"]
    compressed = [name for name, router in routers.items() if "edge-compress" in router["middlewares"]]
    assert compressed == ["edge-admin"]
    assert all("edge-headers" in router["middlewares"] for router in routers.values())


def test_the_log_keeps_what_the_agent_reads_and_no_header(files: Files) -> None:
    _, _, vps = files(VPS)
    fields = vps["accessLog"]["fields"]
    assert fields["defaultMode"] == "drop"
    assert fields["names"]["RequestPath"] == fields["names"]["RouterName"] == "keep"
    assert "RequestLine" not in fields["names"]
    assert fields["queryParameters"] == {"defaultMode": "drop"}


def test_metrics_that_anybody_on_the_machine_reads_name_no_tunnel(files: Files) -> None:
    _, _, vps = files(VPS)
    prometheus = vps["metrics"]["prometheus"]
    assert (prometheus["addRoutersLabels"], prometheus["addServicesLabels"]) == (False, False)


@pytest.mark.parametrize(
    ("variables", "resolver"), [(VPS, "homeport-domains"), (WILDCARD, None), (LAPTOP, None)]
)
def test_the_agent_reads_its_settings(
    render: Render, decide: Decide, tmp_path: Path, variables: dict[str, Any], resolver: str | None
) -> None:
    fact, _ = decide({}, variables)
    file = tmp_path / "agent.toml"
    file.write_text(render("homeportd", "{{ lookup('template', 'agent.toml.j2') }}", homeport=fact))
    read = settings.load(file)
    assert read.edge is not None
    assert read.edge.cert_resolver == resolver
    assert (read.origin is not None) is ("workstation" in variables["groups"])


def test_secrets_are_in_a_file_of_roots_and_nowhere_else(render: Render, decide: Decide) -> None:
    fact, _ = decide({}, WILDCARD)
    values = {
        "homeport": fact,
        "service_name": "homeport-traefik",
        "service_command": ["/bin/true"],
        "service_secrets": {"RFC2136_TSIG_SECRET": 'top "secret" $x'},
    }
    unit = render("service", "{{ lookup('template', 'unit.service') }}", **values)
    assert "secret" not in unit.replace("homeport-traefik.env", "")
    assert "EnvironmentFile=/etc/homeport/homeport-traefik.env" in unit
    env = render("service", "{{ lookup('template', 'secrets.env') }}", **values)
    assert r'RFC2136_TSIG_SECRET="top \"secret\" $x"' in env
    before = render("service", "{{ service_fingerprint }}", **values)
    values["service_secrets"] = {"RFC2136_TSIG_SECRET": "another"}
    assert render("service", "{{ service_fingerprint }}", **values) != before
