"""What the tests of every stage share: an edge, its client on the other machine, a visitor."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from machines import machine
from testinfra.backend.base import CommandResult
from testinfra.host import Host

UNITS = ("homeportd.service", "homeport-traefik.service")
RECONNECTED_S = 20


@dataclass(frozen=True)
class Edge:
    """An edge, and the other machine, which is its client and its visitor."""

    host: Host
    client: Host
    base: str
    tcp: str
    udp: str

    def visit(self, *words: str) -> str:
        """What a visitor on the other machine sees."""
        return self.client.check_output("test-visitor " + " ".join(["%s"] * len(words)), *words).strip()

    def all_work(self) -> bool:
        """Whether a visitor of each of the three tunnels gets through."""
        return (
            self.visit("http", f"https://web.{self.base}/").startswith("200 hello from")
            and self.visit("tcp", self.base, self.tcp, "text") == "text"
            and self.visit("udp", self.base, self.udp, "1200") == "same"
        )

    def ask(self, command: str, *words: str) -> str:
        """What a command of the client's user prints; it must succeed."""
        result = self.run(command, *words)
        assert result.rc == 0, result
        return result.stdout.strip()

    def run(self, command: str, *words: str) -> CommandResult:
        """A command of the client's user."""
        with self.client.sudo("dev"):
            return self.client.run(f"export XDG_RUNTIME_DIR=/run/user/$(id -u); {command}", *words)

    def tunnels(self) -> list[dict]:
        """As the edge itself has them."""
        return json.loads(self.host.check_output("homeport tunnels list --json"))["edge"]


@pytest.fixture
def edge(host: Host) -> Edge:
    variables = host.ansible.get_variables()
    first = {
        kind: int(variables.get(f"homeportd_{kind}_ports", "20000-").partition("-")[0])
        for kind in ("tcp", "udp")
    }
    base = variables["homeport_edge_url"].partition("{name}.")[2]
    return Edge(host, machine(variables["peer"]), base, str(first["tcp"] + 22), str(first["udp"] + 53))


@pytest.fixture
def connected(edge: Edge) -> Edge:
    """Its client has the token, and three tunnels to the servers of this test."""
    if not edge.client.file("/home/dev/.config/homeport/edge.toml").exists:
        made = json.loads(edge.host.check_output("homeport token create laptop --scope tunnel --json"))
        edge.ask("echo %s | homeport init --edge %s --token-stdin", made["token"], f"https://{edge.base}")
        edge.ask("homeport daemon start")
        edge.ask("homeport tunnels add http 3000 --domain web")
        edge.ask("homeport tunnels add tcp 3001 --reserve-port %s", edge.tcp)
        edge.ask("homeport tunnels add udp 3002 --reserve-port %s", edge.udp)
    return edge


@pytest.fixture
def listening(host: Host) -> Callable[[], set[str]]:
    """What the machine listens on beyond loopback: {"tcp/22", ...}."""

    def look() -> set[str]:
        found = set()
        for line in host.check_output("ss -Hltun").splitlines():
            kind, _, _, _, local, *_ = line.split()
            if not re.match(r"127\.|\[::1\]", local):
                found.add(f"{kind}/{local.rpartition(':')[2]}")
        return found

    return look
