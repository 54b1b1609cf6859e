"""Traefik, the reverse proxy of an edge."""

from __future__ import annotations

from ansible_collections.homeport.agent.plugins.module_utils.components import (
    Component,
    Folder,
    Host,
    Json,
    ListenAddress,
    Problem,
    Proxy,
    Removal,
    Socket,
    service_file,
)
from ansible_collections.homeport.agent.plugins.module_utils.networks import bracketed

UNIT = "homeport-traefik.service"
DOMAINS = "homeport-domains"  # certificates of single names, by HTTP-01
WILDCARD = "homeport-wildcard"  # one for all names, by DNS-01


class Traefik(Component):
    name = "traefik"
    after = ("agent", "edge", "supervisor")
    groups = ("edge",)
    roles = ("traefik",)
    user = "homeport-traefik"
    user_comment = "Homeport's edge"
    group = "homeport-traefik"  # not Caddy's: whoever is in that may ask the agent's sockets in any visitor's name
    tool = "traefik"

    def layout(self, host: Host, layout: Json) -> Json:
        edge, settings = layout["edge"], host.settings
        if not edge:
            return {}
        bind, ports = bracketed(settings["traefik_bind"]), edge["ports"]
        secure = bool(ports["secure"])
        data, logs = _folders(layout)
        return {
            "web": f"{bind}:{ports['web']}",
            "secure": f"{bind}:{ports['secure']}" if secure else "",
            "metrics": f"{edge['listen'].rpartition(':')[0]}:{ports['metrics']}",
            # Where a check of this machine finds it.
            "near": f"{bind or '127.0.0.1'}:{ports['secure'] or ports['web']}",
            "resolver": DOMAINS if secure else "",
            "wildcard": WILDCARD if secure and settings["traefik_dns_provider"] else "",
            "dns_provider": settings["traefik_dns_provider"],
            "acme_email": settings["traefik_acme_email"],
            "acme_directory": settings["traefik_acme_directory"],
            "user": self.user if layout["rootful"] else layout["root_user"],
            "group": self.group if layout["rootful"] else layout["root_group"],
            "data": data,
            "routes": f"{data}/routes",
            "logs": logs,
            "log": f"{logs}/traefik.json",
            "access_log": f"{logs}/access.json",
        }

    def folders(self, layout: Json) -> list[Folder]:
        traefik, group = layout["traefik"], layout["traefik"]["group"]
        return [
            Folder(traefik["data"], traefik["user"], group, "0755"),
            Folder(f"{traefik['data']}/acme", traefik["user"], group, "0700"),
            # The agent writes what Traefik reads, and reads what Traefik writes: setgid gives both the same group.
            Folder(traefik["routes"], layout["agent"]["user"], group, "2750"),
            Folder(traefik["logs"], traefik["user"], group, "2750"),
        ]

    def files(self, layout: Json) -> list[Folder]:
        """Its logs, before it makes them for itself alone; the agent empties that of requests."""
        traefik, group = layout["traefik"], layout["traefik"]["group"]
        return [
            Folder(traefik["log"], traefik["user"], group, "0640"),
            Folder(traefik["access_log"], traefik["user"], group, "0660"),
        ]

    def sockets(self, layout: Json) -> list[Socket]:
        ports = layout["edge"]["ports"]
        found = [Socket(ports[key], "homeport_edge_url") for key in ("web", "secure") if ports[key]]
        return [*found, Socket(ports["metrics"], "homeportd_edge_listen")]

    def owns(self, listener: Json, host: Host, layout: Json) -> bool:
        exe = str(listener["exe"] or "")
        return exe.startswith(f"{layout['software']}/tools/traefik/") or (
            not exe and listener["user"] == self.user
        )

    def addresses(self, host: Host, layout: Json) -> list[ListenAddress]:
        return [ListenAddress("traefik_bind", host.settings["traefik_bind"], "leave it empty for all")]

    def proxy(self, layout: Json) -> Proxy:
        traefik, settings = layout["traefik"], layout["settings"]
        plain = [f"http://{traefik[name]}" for name in ("web", "metrics") if traefik[name]]
        return Proxy(
            (
                f"{settings}/traefik.yml",
                f"{traefik['routes']}/edge.yml",
                service_file(layout, self.user),
                f"{settings}/{self.user}.env",
            ),
            (*plain, *([f"https://{traefik['secure']}"] if traefik["secure"] else [])),
            traefik["log"],
        )

    def removal(self, layout: Json) -> Removal:
        data, logs = _folders(layout)
        return Removal((UNIT,), paths=(data, logs), data=(data,), certificates=(f"{data}/acme",))

    def problems(self, host: Host, layout: Json) -> list[Problem]:
        if not layout["edge"]:
            return []
        found = []
        if layout["edge"]["scheme"] == "http" and host.settings["traefik_dns_provider"]:
            found.append(
                (
                    "traefik_dns_provider is set, but homeport_edge_url begins with http://",
                    "write https:// there: certificates are for TLS",
                )
            )
        ports = layout["edge"]["ports"]
        low = sorted({port for port in (ports["web"], ports["secure"]) if 0 < port < 1024})
        if low and layout["manager"] != "systemd":
            found.append(
                (
                    f"homeport_edge_url needs port {' and '.join(map(str, low))}, which takes root and systemd",
                    "name a port above 1023 in homeport_edge_url, as http://{name}.tunnel.localhost:8081",
                )
            )
        return found


def _folders(layout: Json) -> tuple[str, str]:
    """The data and the logs of Traefik, whether the host is an edge today or not."""
    if layout["rootful"]:
        return "/var/lib/homeport-traefik", "/var/log/homeport-traefik"
    return f"{layout['state']}/traefik", f"{layout['logs']}/traefik"


COMPONENT = Traefik()
