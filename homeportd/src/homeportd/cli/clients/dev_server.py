"""A dev server of this machine, as it is dialled."""

from __future__ import annotations


def dial_address(addresses: list[str]) -> str:
    """Where to dial a listener of these addresses: IPv4 first, a wildcard on loopback."""
    address = min(addresses, key=lambda text: ":" in text)
    return {"0.0.0.0": "127.0.0.1", "::ffff:0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104
