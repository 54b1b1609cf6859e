"""Addresses and networks as a person writes them in variables.

The rule is that of homeportd/networks.py, which reads them again: bits beyond the mask are taken for zero.
"""

from __future__ import annotations

import ipaddress


def network(text: str) -> str:
    """A network in its canonical form. Raises ValueError, also for one that names an interface."""
    if "%" in text:
        raise ValueError(f"{text!r} names an interface")
    return str(ipaddress.ip_network(text.strip(), strict=False))


def networks(texts: list[str]) -> list[str]:
    """Networks in their canonical form; what is none stays as it is, for a problem to name it."""
    return [network(text) if is_network(text) else text for text in texts]


def is_network(text: str) -> bool:
    """Whether a text is an address or a network."""
    try:
        network(text)
    except ValueError:
        return False
    return True


def is_address(text: str) -> bool:
    """Whether a text is one address, which may name an interface (fe80::1%eth0)."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_loopback(text: str) -> bool:
    """Whether a text is an address that this machine alone reaches."""
    return is_address(text) and ipaddress.ip_address(text).is_loopback


def bracketed(address: str) -> str:
    """An address as it stands before a port."""
    return f"[{address}]" if ":" in address else address
