"""Names below localhost for every program of a machine: a Debian package."""

from __future__ import annotations

from ansible_collections.homeport.agent.plugins.module_utils.components import Component, Host, Json, Problem


class LocalhostNames(Component):
    name = "localhost_names"
    groups = ("workstation",)
    roles = ("localhost_names",)
    probes = {"library": "/usr/lib/*/libnss_myhostname.so.2"}  # noqa: RUF012

    def layout(self, host: Host, layout: Json) -> Json:
        enabled = host.settings["localhost_names_enabled"] and layout["rootful"]
        return {"enabled": enabled, "installed": host.observed["probes"]["localhost_names"]["library"]}

    def packages(self, host: Host, layout: Json) -> list[str]:
        names = layout["localhost_names"]
        return ["libnss-myhostname"] * (names["enabled"] and not names["installed"])

    def problems(self, host: Host, layout: Json) -> list[Problem]:
        if not host.settings["localhost_names_enabled"] or layout["rootful"]:
            return []
        return [
            (
                "localhost_names_enabled needs root, for it installs a package",
                "leave it out, and have somebody with root run: apt-get install libnss-myhostname",
            )
        ]


COMPONENT = LocalhostNames()
