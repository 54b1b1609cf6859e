"""Shell completion: what Tab offers; nothing where the agent, the daemon or the edge does not answer in time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar
from urllib.parse import quote

from homeportd.cli.api_types import Domain, EdgeTunnel, Port, Repo, Reservation
from homeportd.cli.clients import agent_client, daemon_client, edge_client
from homeportd.cli.errors import Failure
from homeportd.cli.git_types import HostedRepo
from homeportd.cli.job_types import Job
from homeportd.cli.output import phrases

TIMEOUT: Final = 1.0  # seconds for which a shell waits at each Tab, the edge's name and TLS included

Offers = list[tuple[str, str]]  # values, each with its description
_T = TypeVar("_T")


def ports(incomplete: str) -> Offers:
    """The ports of the agent, each with its title."""
    found: list[Port] = _within_timeout(lambda: _of_agent("/ports"))
    return _offers([(str(port["port"]), phrases.what(port)) for port in found], incomplete)


def jobs(incomplete: str) -> Offers:
    """The jobs of the agent, each with its title."""
    found: list[Job] = _within_timeout(lambda: _of_agent("/jobs"))
    return _offers([(str(job["id"]), f"{job['title']}: {job['state']}") for job in found], incomplete)


def hosted(incomplete: str) -> Offers:
    """The owner's repositories at GitHub."""
    path = f"/github/repos?q={quote(incomplete, safe='')}"
    found: list[HostedRepo] = _within_timeout(lambda: _of_agent(path, "repos"))
    return _offers([(repo["name"], repo["description"]) for repo in found], incomplete)


def repos(incomplete: str) -> Offers:
    """The repos of the agent, each with its path."""
    found: list[Repo] = _within_timeout(lambda: _of_agent("/repos"))
    return _offers([(repo["id"], repo["path"]) for repo in found], incomplete)


def servers(incomplete: str) -> Offers:
    """The repos of the agent, and their servers as `repo/server`."""
    found: list[Any] = _within_timeout(lambda: _of_agent("/repos"))
    known: list[Any] = _within_timeout(lambda: _of_agent("/servers"))
    offers = [(repo["id"], repo["path"]) for repo in found]
    offers += [(f"{each['repo']}/{each['name']}", each["state"]) for each in known if each["repo"]]
    return _offers(offers, incomplete)


def ports_and_servers(incomplete: str) -> Offers:
    """What has a log: ports, repos, servers."""
    return ports(incomplete) + servers(incomplete)


def tunnels(incomplete: str) -> Offers:
    """The tunnels of the daemon."""
    found = _within_timeout(lambda: daemon_client.status(TIMEOUT)["tunnels"])
    return _offers(
        [
            (
                str(tunnel["name"] or tunnel["port"] or tunnel["target"]),
                f"{tunnel['kind']} to {tunnel['target']}",
            )
            for tunnel in found
        ],
        incomplete,
    )


def tunnels_of_edge(incomplete: str) -> Offers:
    """The tunnels of the edge, where its API may be asked."""
    found: list[EdgeTunnel] = _of_edge("/tunnels")
    return _offers([(str(each["name"] or each["port"]), each["kind"]) for each in found], incomplete)


def reservations(incomplete: str) -> Offers:
    """The reservations of the edge, where its API may be asked."""
    found: list[Reservation] = _of_edge("/reservations")
    return _offers([(str(each["name"] or each["port"]), each["kind"]) for each in found], incomplete)


def domains(incomplete: str) -> Offers:
    """People's own domains at the edge."""
    found: list[Domain] = _of_edge("/domains")
    return _offers([(each["domain"], each["state"]) for each in found], incomplete)


def names(incomplete: str) -> Offers:
    """The HTTP names that are reserved at the edge."""
    found: list[Reservation] = _of_edge("/reservations")
    return _offers([(each["name"], each["address"]) for each in found if each["name"]], incomplete)


def _of_agent(path: str, field: str | None = None) -> list[Any]:
    with agent_client.connect(TIMEOUT) as agent:
        answer: Any = agent.get(path)
    found: list[Any] = answer if field is None else answer[field]
    return found


def _of_edge(path: str) -> list[Any]:
    def ask() -> list[Any]:
        with edge_client.connect(TIMEOUT) as edge:
            found: list[Any] = edge.get(path)
        return found

    return _within_timeout(ask)


def _within_timeout(work: Callable[[], list[_T]]) -> list[_T]:
    """What `work` returns within TIMEOUT in all: its steps have time-outs of their own, and the resolver none."""
    found: list[_T] = []

    def run() -> None:
        try:
            found.extend(work())
        except Failure:
            return

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(TIMEOUT)
    return list(found)


def _offers(found: Offers, incomplete: str) -> Offers:
    return [offer for offer in found if offer[0].startswith(incomplete)]
