"""What would keep Caddy, the front door of a workstation, from running. No I/O, as rules."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from ansible_collections.homeport.agent.plugins.module_utils.networks import check_network

Json = dict[str, Any]

CADDY_USER = "homeport-caddy"

# The same pattern as homeportd/settings.py, which checks it again when the file is written.
ORIGIN = re.compile(
    r"(?P<scheme>https?)://\{port\}(?P<joint>[.-])(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)"
    r"(?::(?P<number>[0-9]{1,5}))?"
)


def problems(observed: Json, wishes: Json, place: Json) -> list[tuple[str, str]]:
    """Each with its fix."""
    return [*_variable_problems(wishes, place), *_port_problems(observed, wishes, place)]


def _variable_problems(wishes: Json, place: Json) -> list[tuple[str, str]]:
    found = []
    match = ORIGIN.fullmatch(str(wishes["origin"]))
    if not match:
        found.append(
            (
                f"homeport_origin is {wishes['origin']!r}, which is no pattern of an origin",
                "write it as http://{port}.localhost:8080 or https://{port}-dev.example.com, in lower case",
            )
        )
    elif match["number"] and not 1 <= int(match["number"]) <= 65535:
        found.append((f"homeport_origin names port {match['number']}", "a port is between 1 and 65535"))
    elif match["host"].endswith("localhost") and int(match["number"] or 80) != wishes["port"]:
        found.append(
            (
                f"homeport_origin names port {match['number'] or 80}, but Caddy listens on {wishes['port']}",
                "make homeport_origin and caddy_port agree",
            )
        )
    if not isinstance(wishes["port"], int) or not 1 <= wishes["port"] <= 65535:
        found.append((f"caddy_port is {wishes['port']!r}", "a port is a number between 1 and 65535"))
    elif wishes["port"] < 1024 and not place["rootful"]:
        found.append(
            (f"caddy_port is {wishes['port']}, which needs root", "choose one above 1023, or run as root")
        )
    if not wishes["bind"]:
        found.append(("caddy_bind is empty", 'write it as ["127.0.0.1", "::1"]'))
    for name, values, parse in (
        ("caddy_bind", wishes["bind"], ipaddress.ip_address),
        ("caddy_trusted_proxies", wishes["trusted_proxies"], check_network),
    ):
        for value in values:
            try:
                parse(str(value))
            except ValueError as error:
                found.append(
                    (
                        f"{name} has {value!r}: {error}",
                        "write addresses such as 127.0.0.1, networks such as 10.0.0.0/8",
                    )
                )
    return found


def _port_problems(observed: Json, wishes: Json, place: Json) -> list[tuple[str, str]]:
    taken: dict[str, list[str]] = {}
    for listener in observed["listeners"]:
        if collide(listener["address"], place["bind"]) and not _is_ours(listener, observed, place):
            who = listener["command"] or f"a process of user {listener['user']}"
            pid = f" (pid {listener['pid']})" if listener["pid"] else ""
            taken.setdefault(who + pid, []).append(listener["address"])
    return [
        (
            f"port {wishes['port']} at {' and '.join(addresses)} is taken by {who}",
            "stop it, or set caddy_port (and the port in homeport_origin) to a free one",
        )
        for who, addresses in taken.items()
    ]


def collide(address: str, bind: list[str]) -> bool:
    """Whether a listener at `address` keeps us from listening at one of `bind`, all of the same port."""
    anywhere = {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound
    return address in anywhere or bool(anywhere & set(bind)) or address in bind


def _is_ours(listener: Json, observed: Json, place: Json) -> bool:
    caddy = observed["users"].get(CADDY_USER)
    if caddy and listener["uid"] == caddy["uid"]:
        return True
    return bool(listener["exe"]) and str(listener["exe"]).startswith(f"{place['software']}/tools/caddy/")
