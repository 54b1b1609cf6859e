"""What the tests of every stage share: the person of the machines, their dev server, and curl."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from machines import wait_for
from testinfra.host import Host

USER = "dev"
UNITS = ("homeportd.service", "homeport-caddy.service")
REPO = "/srv/homeport/repos/demo"
PORT = 5173
STARTED_PORT = 5199  # of the dev server that Homeport itself starts
PASSWORD = "correct horse battery"
SEEN_WITHIN_S = 1.5


@dataclass(frozen=True)
class Answer:
    """What curl got through Caddy; headers in lower case."""

    status: int
    headers: dict[str, str]
    body: str


def as_user(host: Host, command: str) -> str:
    """Run a command as the person, in a login shell as they would; its standard output."""
    return host.check_output("runuser -l %s -c %s", USER, command)


@pytest.fixture
def homeport(host: Host) -> Callable[[str], object]:
    """`homeport ... --json` as the person, parsed."""
    return lambda arguments: json.loads(as_user(host, f"homeport {arguments} --json") or "null")


@pytest.fixture
def curl(host: Host) -> Callable[..., Answer]:
    """One request from the machine itself through Caddy, to a name that need not resolve."""

    def request(name: str, path: str = "/", *options: str) -> Answer:
        quoted = " ".join(f"'{option}'" for option in options)
        # http.client rather than curl, which a bare Debian does not have.
        script = f"""
import base64, http.client, json, sys
connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=10)
headers = {{"Host": "{name}:8080"}}
for option in sys.argv[1:]:
    key, _, value = option.partition(": ")
    headers[key] = value
connection.request("GET", "{path}", headers=headers)
answer = connection.getresponse()
fields = {{key.lower(): value for key, value in answer.getheaders()}}
print(json.dumps([answer.status, fields, answer.read().decode(errors="replace")]))
"""
        return Answer(*json.loads(host.check_output(f"python3 - {quoted} <<'PYTHON'\n{script}\nPYTHON")))

    return request


@pytest.fixture
def dev_server(host: Host) -> None:
    """A dev server of the person in a git repository below the repo root; seen by the agent."""
    if not host.file(f"{REPO}/.git").exists:
        as_user(host, f"git init -q -b main {REPO} && echo hello from demo > {REPO}/index.html")
    if host.run("systemctl is-active demo.service").rc:
        host.run("systemctl reset-failed demo.service")
        serve = f"python3 -m http.server --bind 127.0.0.1 {PORT}"
        host.check_output(f"systemd-run --unit=demo --uid={USER} --working-directory={REPO} {serve}")
    wait_for(lambda: host.socket(f"tcp://127.0.0.1:{PORT}").is_listening)
