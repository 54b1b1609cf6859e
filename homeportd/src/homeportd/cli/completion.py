"""What a shell offers with Tab for tunnels, reservations and domains; nothing where nobody answers at once."""

from __future__ import annotations

from typing import Any, Final

from homeportd.cli import daemon_client
from homeportd.cli.arguments import COMPLETION_TIMEOUT
from homeportd.cli.edge_client import connect
from homeportd.cli.errors import Failure

REMOTE_TIMEOUT: Final = 1.0  # seconds; the edge's API may be far away


def tunnels(incomplete: str) -> list[tuple[str, str]]:
    """Of the daemon."""
    try:
        found: list[dict[str, Any]] = daemon_client.ask({"do": "status"}, COMPLETION_TIMEOUT)["tunnels"]
    except Failure:
        return []
    return _offers([(_label(item), f"{item['kind']} to {item['target']}") for item in found], incomplete)


def tunnels_of_edge(incomplete: str) -> list[tuple[str, str]]:
    """All of the edge, where its API may be asked."""
    return _offers([(_label(item), item["kind"]) for item in _of_edge("/tunnels")], incomplete)


def reservations(incomplete: str) -> list[tuple[str, str]]:
    """Of the edge, where its API may be asked."""
    return _offers([(_label(item), item["kind"]) for item in _of_edge("/reservations")], incomplete)


def domains(incomplete: str) -> list[tuple[str, str]]:
    """People's own domains, of the edge."""
    found = _of_edge("/domains", COMPLETION_TIMEOUT)
    return _offers([(item["domain"], item["state"]) for item in found], incomplete)


def names(incomplete: str) -> list[tuple[str, str]]:
    """The HTTP names that are reserved at the edge."""
    found = _of_edge("/reservations", COMPLETION_TIMEOUT)
    return _offers([(item["name"], item["address"]) for item in found if item["name"]], incomplete)


def _of_edge(path: str, timeout: float = REMOTE_TIMEOUT) -> list[dict[str, Any]]:
    try:
        with connect(timeout) as edge:
            found: list[dict[str, Any]] = edge.get(path)
    except Failure:
        return []
    return found


def _label(item: dict[str, Any]) -> str:
    return str(item["name"] or item["port"] or item.get("target", ""))


def _offers(found: list[tuple[str, str]], incomplete: str) -> list[tuple[str, str]]:
    return [offer for offer in found if offer[0].startswith(incomplete)]
