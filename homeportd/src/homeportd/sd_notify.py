"""The agent's state for systemd, by sd_notify(3); nothing is sent where there is no systemd."""

from __future__ import annotations

import os
import socket


def notify(state: str) -> None:
    """Send one state, such as READY=1; does nothing outside a unit of Type=notify."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect("\0" + path[1:] if path.startswith("@") else path)
        sender.sendall(state.encode())


def watchdog_s() -> float | None:
    """Seconds between two pings of the watchdog: a third of its limit, as one may fail; None without a watchdog."""
    limit_us = os.environ.get("WATCHDOG_USEC", "")
    return int(limit_us) / 3e6 if limit_us.isdigit() and int(limit_us) > 0 else None
