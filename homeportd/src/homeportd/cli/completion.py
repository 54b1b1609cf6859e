"""What a shell offers with Tab; nothing where nobody answers at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar

from homeportd.cli.clients import agent_client, daemon_client, edge_client
from homeportd.cli.errors import Failure
from homeportd.cli.output import phrases

TIMEOUT: Final = 1.0  # seconds for which a shell waits with each Tab, the edge's name and TLS included
_T = TypeVar("_T")


def ports(incomplete: str) -> list[tuple[str, str]]:
    """The ports of the live agent, with their names."""
    return _offers([(str(port["port"]), phrases.what(port)) for port in _at_once(_ports)], incomplete)


def tunnels(incomplete: str) -> list[tuple[str, str]]:
    """Of the daemon."""
    found = _at_once(lambda: daemon_client.ask({"do": "status"}, TIMEOUT)["tunnels"])
    return _offers([(_label(item), f"{item['kind']} to {item['target']}") for item in found], incomplete)


def tunnels_of_edge(incomplete: str) -> list[tuple[str, str]]:
    """All of the edge, where its API may be asked."""
    return _offers([(_label(item), item["kind"]) for item in _of_edge("/tunnels")], incomplete)


def reservations(incomplete: str) -> list[tuple[str, str]]:
    """Of the edge, where its API may be asked."""
    return _offers([(_label(item), item["kind"]) for item in _of_edge("/reservations")], incomplete)


def domains(incomplete: str) -> list[tuple[str, str]]:
    """People's own domains, of the edge."""
    return _offers([(item["domain"], item["state"]) for item in _of_edge("/domains")], incomplete)


def names(incomplete: str) -> list[tuple[str, str]]:
    """The HTTP names that are reserved at the edge."""
    found = _of_edge("/reservations")
    return _offers([(item["name"], item["address"]) for item in found if item["name"]], incomplete)


def _ports() -> list[Any]:
    with agent_client.connect(TIMEOUT) as agent:
        found: list[Any] = agent.get("/ports")
    return found


def _of_edge(path: str) -> list[Any]:
    def ask() -> list[Any]:
        with edge_client.connect(TIMEOUT) as edge:
            found: list[Any] = edge.get(path)
        return found

    return _at_once(ask)


def _at_once(work: Callable[[], list[_T]]) -> list[_T]:
    """What comes within TIMEOUT in all: each step has one of its own, and the system's resolver has none."""
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


def _label(item: dict[str, Any]) -> str:
    return str(item["name"] or item["port"] or item.get("target", ""))


def _offers(found: list[tuple[str, str]], incomplete: str) -> list[tuple[str, str]]:
    return [offer for offer in found if offer[0].startswith(incomplete)]
