"""Containers behind ports: what engines tell, bent and straight, and a real podman."""

from __future__ import annotations

import json
import os
import shutil
import socketserver
import subprocess
import tempfile
import threading
import time
import uuid
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from homeportd.ports import containers
from homeportd.ports.containers import fetch, find, running
from homeportd.ports.model import Container

from .conftest import on
from .readers import AGENT, asked, reader

ID = "0123456789abcdef" * 4
COMPOSE = "com.docker.compose."
ROW = {
    "Id": ID,
    "Names": ["/shop_web_1"],
    "Ports": [{"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8000, "Type": "tcp"}],
    "Labels": {
        f"{COMPOSE}service": "web",
        f"{COMPOSE}project": "shop",
        f"{COMPOSE}project.working_dir": "/srv/shop",
        "secret": "x" * 10_000,
    },
}


@contextmanager
def engine(body, status=200, pause=0.0):
    """A socket that answers every request so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()
            for part in body if isinstance(body, list) else [body]:
                self.wfile.write(part)
                if pause:
                    ending.wait(pause)

        def log_message(self, *words):
            pass

        def address_string(self):
            return "unix"

    ending = threading.Event()
    with tempfile.TemporaryDirectory(prefix="hp") as folder:
        path = Path(folder) / "e.sock"
        with socketserver.ThreadingUnixStreamServer(str(path), Handler) as server:
            server.handle_error = lambda *words: None
            server.daemon_threads = True
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            try:
                yield path
            finally:
                ending.set()
                server.shutdown()
                thread.join()


def test_a_container_has_its_names_and_ports_and_no_other_label_is_kept():
    with engine(json.dumps([ROW]).encode()) as path:
        rows = fetch([Path("/nowhere/none.sock"), path])
    assert "secret" not in rows[0]["Labels"]
    [one] = running(rows)
    assert one.container == Container("shop_web_1", "web", "shop")
    assert (one.folder, one.ports) == (Path("/srv/shop"), {8000})
    assert find([one], 8000, None) is one
    assert find([one], 8001, ID) is one
    assert find([one], 8001, "f" * 64) is None


def test_podman_compose_has_labels_of_its_own():
    [one] = running([{**ROW, "Labels": {"io.podman.compose.service": "web"}}])
    assert (one.container.service, one.container.project, one.folder) == ("web", None, None)


@pytest.mark.parametrize(
    ("folder", "kept"),
    [
        ("srv/shop", None),
        ("/srv/../etc", None),
        ("/srv/\x1b[2J", None),
        ("/", None),
        ("/" + "x" * 5000, None),
        ("", None),
        ("/srv/my shop", Path("/srv/my shop")),
    ],
)
def test_only_a_plain_absolute_path_is_a_folder(folder, kept):
    [one] = running([{**ROW, "Labels": {f"{COMPOSE}project.working_dir": folder}}])
    assert one.folder == kept


def test_names_are_cut_and_cleaned():
    [one] = running(
        [{**ROW, "Names": ["/a\x1b[2J\n" + "b" * 500], "Labels": {f"{COMPOSE}service": "\x9b\u202e"}}]
    )
    assert one.container.name.isprintable()
    assert len(one.container.name) == containers.MAX_NAME
    assert one.container.service is None


@pytest.mark.parametrize(
    "row",
    [
        None,
        7,
        [],
        {},
        {"Id": ID},
        {**ROW, "Names": []},
        {**ROW, "Names": None},
        {**ROW, "Names": [7]},
        {**ROW, "Names": ["/\x1b"]},
        {**ROW, "Id": 7},
        {**ROW, "Ports": 7},
        {**ROW, "Ports": [7]},
        {**ROW, "Labels": 7},
    ],
)
def test_what_makes_no_sense_is_left_out(row):
    with engine(json.dumps([row, ROW]).encode()) as path:
        assert [one.id for one in running(fetch([path]))][-1:] == [ID]
    assert running(row) == ()


@pytest.mark.parametrize(
    "answer",
    [
        {"body": b"{}"},
        {"body": b"nonsense"},
        {"body": b"[" * 100_000},
        {"body": json.dumps([ROW]).encode(), "status": 500},
        {"body": [b" " * 1024 * 1024] * 9},
        {"body": [b" "] * 600, "pause": 0.05},
    ],
    ids=["object", "nonsense", "deep", "error", "large", "slow"],
)
def test_an_engine_that_answers_badly_tells_nothing_and_takes_little(answer, monkeypatch):
    monkeypatch.setattr(containers, "TIME_OUT_S", 1.0)
    with engine(**answer) as path:
        begun = time.monotonic()
        assert fetch([path]) == []
        assert time.monotonic() - begun < 30  # the slow one goes on for as long as it is listened to


# --- the real one --------------------------------------------------------------------------------------------------

LISTEN = (
    "use IO::Socket::INET; $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1');"
    "$| = 1; print $s->sockport, qq(\\n); sleep 600"
)
IMAGES = [f"docker.io/library/debian:{release}" for release in ("bookworm", "trixie")]
SITE = Path(__file__).parents[3] / ".ci/containers.conf"


def podman(*words):
    environment = {**os.environ}
    if SITE.is_file() and Path("/sys/fs/cgroup/unified").is_dir():
        environment["CONTAINERS_CONF"] = str(SITE)
    return subprocess.run(
        ["podman", *words], env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture(scope="module")
def image():
    """An image with Perl, which is all that a server needs."""
    if os.getuid() != 0 or not shutil.which("podman"):
        pytest.skip("left out: containers need podman and root")
    for name in IMAGES:
        if podman("image", "exists", name).returncode == 0:
            return name
    return pytest.skip(f"left out: podman has none of {' '.join(IMAGES)}")


@pytest.fixture(scope="module")
def api(image):
    """The socket of a podman service."""
    folder = Path(tempfile.mkdtemp(prefix="hp"))
    path = folder / "podman.sock"
    with subprocess.Popen(
        ["podman", "system", "service", "--time=0", f"unix://{path}"], stderr=subprocess.DEVNULL
    ) as service:
        until = time.monotonic() + 60
        while not path.exists() and time.monotonic() < until:
            time.sleep(0.02)
        yield path
        service.terminate()
    shutil.rmtree(folder)


@contextmanager
def container(image, *options, command=("sleep", "600")):
    """A running container: its name."""
    name = f"hp-test-{uuid.uuid4().hex[:8]}"
    started = podman("run", "--detach", f"--name={name}", *options, image, *command)
    try:
        if started.returncode:
            pytest.skip(f"left out: podman runs no container here: {started.stderr[-300:]}")
        yield name
    finally:
        podman("rm", "--force", "--time=0", name)


def inode_of(netlink, number):
    [one] = on(number, netlink.listeners())
    return one.inode


def test_a_published_port_and_one_on_the_hosts_network_are_their_containers(image, api, netlink, tmp_path):
    shop = tmp_path / "shop"
    shop.mkdir()
    subprocess.run(["git", "init", "-q", "-b", "trunk", str(shop)], check=True)
    labels = {"service": "web", "project": "shop", "project.working_dir": str(shop)}
    options = [f"--label={COMPOSE}{key}={value}" for key, value in labels.items()]
    patch = f"from homeportd.ports import containers\ncontainers.SYSTEM_SOCKETS = ({str(api)!r},)"
    with (
        container(image, "--publish=127.0.0.1::8000", *options) as published,
        container(image, "--network=host", command=("perl", "-e", LISTEN)) as hosted,
        reader(before=patch) as path,
    ):
        outer = int(podman("port", published, "8000/tcp").stdout.rpartition(":")[2])
        until = time.monotonic() + 30
        while not (inner := podman("logs", hosted).stdout.strip()) and time.monotonic() < until:
            time.sleep(0.05)
        inodes = [inode_of(netlink, outer), inode_of(netlink, int(inner))]
        told = asked(AGENT, path, "owners", inodes)
        assert f"container=Container(name='{published}', service='web', project='shop')" in told
        assert f"cwd=PosixPath('{shop}')" in told
        assert f"container=Container(name='{hosted}', service=None, project=None)" in told
        # The folder that the engine named is one that may be asked about now.
        assert "branch='trunk'" in asked(AGENT, path, "tree", str(shop))
        assert asked(AGENT, path, "tree", str(tmp_path)) == "refused"


def test_the_agents_own_engine_is_asked_by_the_agent(image, api, netlink, owners, monkeypatch):
    monkeypatch.setattr(containers, "SYSTEM_SOCKETS", (api,))
    with container(image, "--publish=127.0.0.1::8000") as name:
        port = int(podman("port", name, "8000/tcp").stdout.rpartition(":")[2])
        listeners = on(port, netlink.listeners())
        owners.learn(owners.look_up(owners.due(tuple(listeners), 0.0)), 0.0)
        assert owners.owner(listeners[0]).container.name == name
        # An engine that is away for a moment does not take a name back.
        monkeypatch.setattr(containers, "SYSTEM_SOCKETS", ())
        due = owners.due(tuple(listeners), 3600.0)
        owners.learn(owners.look_up(due), 3600.0)
        assert owners.owner(listeners[0]).container.name == name
