"""What an edge that others can reach asks of its operating system: kernel settings, security updates."""

from __future__ import annotations

import posixpath

from ansible_collections.homeport.agent.plugins.module_utils.components import (
    Component,
    Host,
    Json,
    Removal,
)

SYSCTL_FILE = "/etc/sysctl.d/60-homeport-edge.conf"


class EdgeHost(Component):
    name = "edge_host"
    after = ("edge",)
    groups = ("edge",)
    roles = ("edge_host",)
    probes = {"unattended_upgrades": "/usr/bin/unattended-upgrade"}  # noqa: RUF012

    def layout(self, host: Host, layout: Json) -> Json:
        """Empty on a machine that only talks to itself, which stays as it is."""
        if not layout["rootful"] or not layout["edge"].get("public"):
            return {}
        return {
            "sysctl": host.settings["edge_host_sysctl"],
            "sysctl_file": SYSCTL_FILE,
            # What somebody has set, and an installed package, stays.
            "unattended_upgrades": host.settings["edge_host_unattended_upgrades"]
            and not host.observed["probes"]["edge_host"]["unattended_upgrades"],
        }

    def system_folders(self, layout: Json) -> list[str]:
        return [posixpath.dirname(SYSCTL_FILE)]

    def packages(self, host: Host, layout: Json) -> list[str]:
        return ["unattended-upgrades"] * layout["edge_host"]["unattended_upgrades"]

    def removal(self, layout: Json) -> Removal:
        return Removal(paths=(SYSCTL_FILE,)) if layout["rootful"] else Removal()


COMPONENT = EdgeHost()
