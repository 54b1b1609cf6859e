"""What has to be downloaded is asked for beforehand: by the real pip, at an index of the test's own."""

import hashlib
import http.server
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, ClassVar

import pytest

from .conftest import PLUGINS, ROOT, plugin

BUILDER = ROOT / "bin/build-wheel"
WHEEL = b"no wheel, and never downloaded"
ASK_S = 120
PAGES = {"good": 200, "flaky": 200, "secret": 401}

Ask = Callable[..., list[dict[str, str]]]


class Index(http.server.BaseHTTPRequestHandler):
    """One page a package; each has version 1.0 for every Python."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        name = self.path.strip("/").split("/")[-1]
        Index.asked.append(self.path)
        if name == "flaky" and Index.asked.count(self.path) == 1:
            return  # the connection ends without an answer
        digest = hashlib.sha256(WHEEL).hexdigest()
        body = f'<a href="/files/{name}-1.0-py3-none-any.whl#sha256={digest}">{name}-1.0-py3-none-any.whl</a>'.encode()
        self.send_response(PAGES.get(name, 404))
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def index() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        # An address with the number of an answer in it is no such answer.
        yield f"http://127.0.0.1:{server.server_port}/404/simple"
        server.shutdown()


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Ask an index for locked packages, NAME==VERSION -> file content that the lock names."""
    made = subprocess.run(
        [sys.executable, BUILDER, "--installer"], capture_output=True, text=True, check=True
    )
    installer = json.loads(made.stdout)["installer"]
    lock = tmp_path_factory.mktemp("locks") / "agent.txt"

    def ask_for(address: str, packages: dict[str, bytes], **env: str) -> list[dict[str, str]]:
        lines = (
            f"{name} --hash=sha256:{hashlib.sha256(data).hexdigest()}" for name, data in packages.items()
        )
        lock.write_text("\n".join(lines) + "\n")
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        answer = subprocess.run(
            [sys.executable, "-I", PLUGINS / "plugin_utils/ask_index.py", installer, lock],
            env={
                **kept,
                "PIP_CONFIG_FILE": os.devnull,
                "PIP_FIND_LINKS": "",
                "PIP_INDEX_URL": address,
                **env,
            },
            capture_output=True,
            text=True,
            timeout=ASK_S,
            check=True,
        )
        return list(json.loads(answer.stdout)["failures"])

    return ask_for


def test_what_is_there_is_no_failure_and_is_not_downloaded(index: str, ask: Ask) -> None:
    Index.asked.clear()
    assert ask(index, {"good==1.0": WHEEL}) == []
    assert [path for path in Index.asked if "files" in path] == []


@pytest.mark.parametrize(
    ("package", "content", "kind"),
    [
        ("good==2.0", WHEEL, "missing"),
        ("unknown==1.0", WHEEL, "missing"),
        ("good==1.0", b"another file", "changed"),
        ("secret==1.0", WHEEL, "refused"),
    ],
)
def test_what_the_index_does_not_give(index: str, ask: Ask, package: str, content: bytes, kind: str) -> None:
    failures = ask(
        index,
        {"good==1.0": WHEEL, package: content} if not package.startswith("good") else {package: content},
    )
    assert [(failure["kind"], failure["package"]) for failure in failures] == [(kind, package)]


def test_a_connection_that_is_lost_is_worth_another(index: str, ask: Ask) -> None:
    Index.asked.clear()
    assert ask(index, {"good==1.0": WHEEL, "flaky==1.0": WHEEL}) == []
    asked = [path.rstrip("/").rpartition("/")[2] for path in Index.asked]
    assert (asked.count("flaky"), asked.count("good")) == (2, 1)


def test_an_index_that_is_not_there(ask: Ask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    [failure] = ask(f"http://127.0.0.1:{port}/simple", {"good==1.0": WHEEL})
    assert failure["kind"] == "unreachable"
    [failure] = ask("https://index.invalid/simple", {"good==1.0": WHEEL})
    assert failure["kind"] == "names"
    # pip does not go to another machine without TLS, unless it is told to trust it.
    [failure] = ask("http://index.invalid/simple", {"good==1.0": WHEEL})
    assert "not a trusted or secure host" in failure["detail"]


def test_a_proxy_is_asked_where_one_is_set(index: str, ask: Ask) -> None:
    """As pip does: its settings count, and an index behind a dead proxy is out of reach."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    [failure] = ask(index, {"good==1.0": WHEEL}, PIP_PROXY=f"http://127.0.0.1:{port}")
    assert failure["kind"] == "unreachable"


@pytest.fixture(scope="module")
def asking() -> ModuleType:
    return plugin("plugin_utils.ask_index")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Temporary failure resolving 'deb.example.org'", "names"),
        ("Failed to resolve IP address for 'x' ([Errno -2] Name or service not known)", "names"),
        (
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate",
            "certificate",
        ),
        ("Could not connect to 127.0.0.1:9 (127.0.0.1). - connect (111: Connection refused)", "unreachable"),
        ("403  Forbidden [IP: 192.0.2.1 80]", "refused"),
        ("Tunnel connection failed: 407 Proxy Authentication Required", "refused"),
        ("", "unreachable"),
    ],
)
def test_failures_are_told_apart(asking: ModuleType, text: str, kind: str) -> None:
    assert asking.classify(text) == kind
    assert kind in asking.KINDS


def test_an_answer_is_shown_without_control_characters(asking: ModuleType) -> None:
    assert asking.shorten("a\x1b[31m\nb" + "c" * 1000).startswith("a [31m b")
    assert len(asking.shorten("c" * 1000)) == asking.MOST_DETAIL


def test_each_kind_has_its_words_and_its_fix(asking: ModuleType) -> None:
    action = plugin("action.package_index")
    for source in ("index", "debian"):
        failures = [
            {"source": source, "kind": kind, "package": f"p{number}==1", "detail": "why"}
            for kind in asking.KINDS
            for number in range(7)
        ]
        found = action.problems(failures, {"rootful": True})
        assert len({problem["error"] for problem in found}) == len(asking.KINDS)
        assert all(problem["fix"] for problem in found)
    assert (
        "p0==1, p1==1, p2==1, p3==1, p4==1 and 2 more" in str(action.problems(failures[-21:], {}))
        or source == "debian"
    )
    [problem] = action.problems([{**failures[0], "source": "index"}], {"rootful": False})
    assert "~/.config/pip/pip.conf" in problem["fix"]


def test_only_what_is_missing_is_asked_for() -> None:
    lookup = plugin("lookup.to_download")
    table = {
        name: {"source": "wheel", "version": "1", "origin": "wheel", "lock": f"/requirements/{name}.txt"}
        for name in ("caddy", "traefik", "supervisor")
    }
    done = {"current": "1", "origin": "wheel"}
    homeport = {
        "tools": ["caddy", "supervisor"],
        "installed": {
            "agent": {"complete": ["0.1.0+abc"], "origin": "wheel"},
            "caddy": done,
            "supervisor": done,
            "traefik": {"current": None, "origin": ""},
        },
    }
    assert lookup.missing(homeport, table, "abc") == []
    assert lookup.missing(homeport, table, "def") == ["agent.txt"]
    assert lookup.missing({**homeport, "tools": ["caddy", "supervisor", "traefik"]}, table, "abc") == [
        "traefik.txt"
    ]
    damaged = {**homeport["installed"], "caddy": {"current": "1", "origin": ""}}
    assert lookup.missing({**homeport, "installed": damaged}, table, "abc") == ["caddy.txt"]
    upstream = {**table, "caddy": {"source": "url", "version": "2", "origin": "url 0"}}
    assert lookup.missing({**homeport, "installed": damaged}, upstream, "abc") == []
    none = {name: {"complete": [], "current": None, "origin": ""} for name in homeport["installed"]}
    assert lookup.missing({**homeport, "installed": none}, table, "abc") == [
        "agent.txt",
        "caddy.txt",
        "supervisor.txt",
    ]
    assert lookup.agent_sources(BUILDER) == lookup.agent_sources(BUILDER) != ""
