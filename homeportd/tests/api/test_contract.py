"""The API against its own description, by a fuzzer that reads it: real agent, real proxies, a token."""

import contextlib
import http.client
import json
import os
import socket
import socketserver
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from threading import Thread
from urllib.request import Request, urlopen

import jsonschema
import pytest

from ..cli.conftest import HOMEPORT, Homeport
from ..installation import machine
from ..tunnels.cli.conftest import Edge, make_token, until

FUZZ_S = 800  # for one run, which takes a tenth of that where nothing else runs
OF_THE_EDGE = r"^/(api/(tunnels|reservations|domains|tokens)|metrics)"


def fuzz(folder: Path, url: str, token: str, *options: str, examples: int = 30) -> None:
    """Run the fuzzer, which must find nothing."""
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{url}/api/openapi.json",
        f"--header=Authorization: Bearer {token}",
        "--seed=20261121",
        f"--max-examples={examples}",
        "--request-timeout=60",  # seconds; 10 unless told, which a machine with other work may need for one answer
        "--no-color",
        *options,
    ]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=FUZZ_S, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "generated" in result.stdout, "it must have made requests"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A machine, and a token of it."""
    folder = tmp_path_factory.mktemp("m")
    with machine(folder) as made, closing(http.client.HTTPConnection("agent")) as connection:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(folder / "cli.sock"))
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/api/tokens", json.dumps({"name": "fuzzer"}), headers)
        yield made, json.loads(connection.getresponse().read())["token"]


@pytest.mark.slow
def test_a_fuzzer_finds_nothing(whole, tmp_path):
    made, token = whole
    # It is not to ask the hosts that it makes up.
    fuzz(
        tmp_path, f"http://localhost:{made.front}", token, "--exclude-operation-id-regex=clone_repo|list_git"
    )
    log = (made.folder / "agent.log").read_text()
    assert "Traceback" not in log, log


def check_events(agent: Path) -> set[str]:
    """Check each event that an agent has kept against its own description; return their types."""
    with closing(http.client.HTTPConnection("agent")) as connection:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(agent))

        def read(path):
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())

        description = read("/api/openapi.json")
        events = read(f"/api/events?since={read('/api/events')['epoch']}:0")["events"]
    schema = {"$ref": "#/components/schemas/EventMessage", "components": description["components"]}
    for event in events:
        jsonschema.validate(event, schema)
    return {event["type"] for event in events}


def test_events_are_as_described(whole):
    made, token = whole
    shared = Request(
        f"http://localhost:{made.front}/api/ports/{made.dev}/share",
        json.dumps({"mode": "public"}).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    with urlopen(shared):
        assert check_events(made.folder / "cli.sock") >= {"share.changed"}


class KnowsNoName(socketserver.BaseRequestHandler):
    """A DNS server's answer to any question: there is no such name (RFC 1035, 4.1.1)."""

    def handle(self) -> None:
        question, answers = self.request
        answers.sendto(question[:2] + b"\x81\x83" + question[4:], self.client_address)


@pytest.fixture(scope="module")
def names():
    """The address of a DNS server."""
    with socketserver.UDPServer(("127.0.0.1", 0), KnowsNoName) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield "{}:{}".format(*server.server_address)
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def edge(tmp_path_factory, names):
    """An edge on which something is: a live tunnel, a reserved name, a domain."""
    folder = tmp_path_factory.mktemp("e")
    with machine(folder) as whole, contextlib.ExitStack() as stack:
        whole.stop("agent")
        made = Edge(whole)
        with made.config.open("a") as file:
            file.write(f'dns_server = "{names}"\n')
        whole.start_agent()
        made.start_traefik()
        owner = Homeport(made.config)
        home = folder / "home"
        environment = {**os.environ, "HOME": str(home), "HOMEPORT_CONFIG": "/nowhere"}
        init = [HOMEPORT, "init", "--edge", made.url, "--token-stdin"]
        subprocess.run(
            init, input=make_token(owner).encode(), env=environment, check=True, capture_output=True
        )
        client = [HOMEPORT, "http", f"{whole.dev}=live"]
        live = stack.enter_context(subprocess.Popen(client, env=environment, stdout=subprocess.PIPE))
        stack.callback(live.terminate)
        assert live.stdout.readline()
        until(lambda: made.visit("live")[0] == 200, "a row for the log")
        assert owner("domains", "add", "app.example.org", "live").returncode == 0
        yield made, owner("token", "create", "fuzzer").stdout.splitlines()[-1], owner


@pytest.mark.slow
@pytest.mark.parametrize("known", [True, False], ids=["ids of what is there", "any ids"])
def test_a_fuzzer_finds_nothing_at_an_edge(edge, tmp_path, known):
    made, token, owner = edge
    options = [
        f"--url=http://127.0.0.1:{made.web}",
        f"--header=Host: admin.tunnel.localhost:{made.web}",
        f"--include-path-regex={OF_THE_EDGE}",
    ]
    values = {}
    if known:
        tunnel = next(x for x in json.loads(owner("tunnels", "--json").stdout)["edge"] if x["name"] == "live")
        values = {"tunnel_id": tunnel["id"], "domain": "app.example.org"}
        options += ["--exclude-method=DELETE", "--exclude-path-regex=/tokens"]
    text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())
    (tmp_path / "schemathesis.toml").write_text("[parameters]\n" + text)
    fuzz(
        tmp_path, f"http://127.0.0.1:{made.web}", token, *options, examples=10
    )  # hashing passcodes takes time
    log = (made.whole.folder / "agent.log").read_text()
    assert "Traceback" not in log, log


def test_events_of_an_edge_are_as_described(edge):
    made, _token, _owner = edge
    assert check_events(made.whole.folder / "cli.sock") >= {"tunnel.opened", "domain.changed"}
