"""What a shell offers with Tab for tunnels and reservations; nothing where nobody answers at once."""

from __future__ import annotations

from typing import Any, Final

from homeportd.cli import daemon_client
from homeportd.cli.edge_client import connect
from homeportd.cli.errors import Failure

TIMEOUT: Final = 0.3  # seconds; a shell waits for the answer with every Tab
REMOTE_TIMEOUT: Final = 1.0  # the edge's API may be far away


def tunnels(incomplete: str) -> list[tuple[str, str]]:
    """Of the daemon."""
    try:
        found: list[dict[str, Any]] = daemon_client.ask({"do": "status"}, TIMEOUT)["tunnels"]
    except Failure:
        return []
    return _offers([(_label(item), f"{item['kind']} to {item['target']}") for item in found], incomplete)


def tunnels_of_edge(incomplete: str) -> list[tuple[str, str]]:
    """All of the edge, where its API may be asked."""
    return _of_edge("/tunnels", incomplete)


def reservations(incomplete: str) -> list[tuple[str, str]]:
    """Of the edge, where its API may be asked."""
    return _of_edge("/reservations", incomplete)


def _of_edge(path: str, incomplete: str) -> list[tuple[str, str]]:
    try:
        with connect(REMOTE_TIMEOUT) as edge:
            found: list[dict[str, Any]] = edge.get(path)
    except Failure:
        return []
    return _offers([(_label(item), item["kind"]) for item in found], incomplete)


def _label(item: dict[str, Any]) -> str:
    return str(item["name"] or item["port"] or item.get("target", ""))


def _offers(found: list[tuple[str, str]], incomplete: str) -> list[tuple[str, str]]:
    return [offer for offer in found if offer[0].startswith(incomplete)]
