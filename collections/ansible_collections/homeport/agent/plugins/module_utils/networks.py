"""Networks as a person writes them in variables: the same rule as homeportd/networks.py, which reads them again."""

from __future__ import annotations

import ipaddress


def check_network(text: str) -> None:
    """Raises ValueError for what is no address and no CIDR block; host bits are taken for zero."""
    if "%" in text:
        raise ValueError(f"{text!r} names an interface")
    ipaddress.ip_network(text.strip(), strict=False)
