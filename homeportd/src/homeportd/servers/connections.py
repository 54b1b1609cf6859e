"""TCP connections to ports of this machine, as proc(5) shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

MAX_TABLE: Final = 32 * 1024 * 1024  # bytes of one table that are read
_TABLES: Final = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_TIME_WAIT, _LISTEN = "06", "0A"


def connections(ports: frozenset[int]) -> dict[int, tuple[bool, frozenset[str]]]:
    """Of each port: whether a connection to it is open, and the far ends of those that have ended lately; blocking.

    The kernel remembers an ended connection for a minute, on one of its sides.
    """
    wanted = {f"{port:04X}": port for port in ports}
    is_open = dict.fromkeys(ports, False)
    ended: dict[int, set[str]] = {port: set() for port in ports}
    for path in _TABLES:
        try:
            with path.open("rb") as file:
                text = file.read(MAX_TABLE).decode("ascii", "replace")
        except OSError:
            continue
        for line in text.splitlines()[1:]:
            fields = line.split(None, 4)
            if len(fields) < 4 or fields[3] == _LISTEN:
                continue
            near, far, state = fields[1:4]
            if state == _TIME_WAIT:
                for own, other in ((near, far), (far, near)):
                    port = wanted.get(own.rpartition(":")[2])
                    if port is not None:
                        ended[port].add(other)
            elif (port := wanted.get(near.rpartition(":")[2])) is not None:
                is_open[port] = True
    return {port: (is_open[port], frozenset(ended[port])) for port in ports}
