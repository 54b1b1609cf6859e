"""The firewall of a host: a table of nftables of our own."""

from __future__ import annotations

import re

from ansible_collections.homeport.agent.plugins.module_utils.components import (
    Component,
    Host,
    Json,
    Problem,
    Removal,
)

UNIT = "homeport-firewall.service"
AUTO = "auto"
# As Ansible reads a boolean.
WORDS = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
PORTS = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")


class Firewall(Component):
    name = "firewall"
    after = ("agent", "edge")
    roles = ("firewall",)
    probes = {"nft": "/usr/sbin/nft"}  # noqa: RUF012

    def layout(self, host: Host, layout: Json) -> Json:
        edge, settings = layout["edge"], host.settings
        wanted = _enabled(settings["firewall_enabled"])
        automatic = bool(edge.get("public")) and layout["manager"] == "systemd"
        return {
            "enabled": automatic if wanted == AUTO else wanted is True,
            "nft": host.observed["probes"]["firewall"]["nft"],
            # SSH first of all: the ports of the inventory and of sshd's settings, and the one of this very run.
            "ssh_ports": list(dict.fromkeys([*settings["firewall_ssh_ports"], *host.observed["ssh_ports"]])),
            "open_tcp": [*settings["firewall_open_tcp"], *edge.get("open_tcp", ())],
            "open_udp": [*settings["firewall_open_udp"], *edge.get("open_udp", ())],
        }

    def packages(self, host: Host, layout: Json) -> list[str]:
        firewall = layout["firewall"]
        return ["nftables"] * (firewall["enabled"] and not firewall["nft"])

    def removal(self, layout: Json) -> Removal:
        return Removal((UNIT,)) if layout["rootful"] else Removal()

    def problems(self, host: Host, layout: Json) -> list[Problem]:
        wanted = _enabled(host.settings["firewall_enabled"])
        found: list[Problem] = []
        if wanted is None:
            found.append(
                (f"firewall_enabled is {host.settings['firewall_enabled']!r}", "it is auto, true or false")
            )
        elif wanted is True and layout["manager"] != "systemd":
            found.append(
                ("firewall_enabled needs root and systemd", "set firewall_enabled: false for this host")
            )
        for name in ("firewall_ssh_ports", "firewall_open_tcp", "firewall_open_udp"):
            found += [
                (
                    f"{name} has {text!r}",
                    "a port is a number between 1 and 65535, a range is 6000-6009, rising",
                )
                for text in map(str, host.settings[name])
                if not _is_range(text)
            ]
        return found


def _enabled(value: object) -> bool | str | None:
    """True, False or AUTO; None where it is none of them."""
    word = str(value).strip().lower()
    return AUTO if word == AUTO else WORDS.get(word)


def _is_range(text: str) -> bool:
    match = PORTS.fullmatch(text)
    return match is not None and 1 <= int(match[1]) <= int(match[2] or match[1]) <= 65535


COMPONENT = Firewall()
