"""Caddy, the reverse proxy of a workstation."""

from __future__ import annotations

import re

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
from ansible_collections.homeport.agent.plugins.module_utils.networks import (
    bracketed,
    is_address,
    is_network,
    networks,
)

UNIT = "homeport-caddy.service"
PORTS_SETTING = "caddy_port (and the port in homeport_origin)"

# The same pattern as the agent's settings, which check it again when the file is written.
ORIGIN = re.compile(
    r"(?P<scheme>https?)://\{port\}(?P<joint>[.-])(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)"
    r"(?::(?P<number>[0-9]{1,5}))?"
)
# A name at an edge that still is one, of 63 characters, behind a port and a hyphen.
NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,55}[a-z0-9])?")


class Caddy(Component):
    name = "caddy"
    groups = ("workstation",)
    roles = ("caddy",)
    user = "homeport-caddy"
    user_comment = "Homeport's reverse proxy"
    tool = "caddy"

    def watched_ports(self, settings: Json) -> list[int]:
        return [settings["caddy_port"]]

    def layout(self, host: Host, layout: Json) -> Json:
        settings = host.settings
        origin = _origin(settings)
        match = ORIGIN.fullmatch(origin)
        return {
            "origin": origin,
            "edge_name": settings["homeport_edge_name"],
            "dashboard": origin.replace("{port}" + match["joint"], "") if match else "",
            "port": settings["caddy_port"],
            # ::1 is among the defaults, and left out on a machine without IPv6.
            "bind": [
                address for address in settings["caddy_bind"] if host.observed["ipv6"] or ":" not in address
            ],
            "trusted_proxies": networks(settings["caddy_trusted_proxies"]),
            "user": self.user if layout["rootful"] else layout["root_user"],
            "data": _data(layout),
            "visitors": f"{layout['sockets']}/visitors",
        }

    def folders(self, layout: Json) -> list[Folder]:
        caddy, agent = layout["caddy"], layout["agent"]
        # setgid: Caddy's socket in it takes the group of the agent's user, whose tunnels bring visitors, and nobody
        # else may say there who a visitor is. Without root Caddy is that user.
        mode = "2750" if layout["rootful"] else "0700"
        return [
            Folder(caddy["data"], caddy["user"], layout["group"], "0700"),
            Folder(caddy["visitors"], caddy["user"], agent["user_group"], mode),
        ]

    def sockets(self, layout: Json) -> list[Socket]:
        caddy = layout["caddy"]
        return [Socket(caddy["port"], PORTS_SETTING, tuple(caddy["bind"]))]

    def owns(self, listener: Json, host: Host, layout: Json) -> bool:
        account = host.observed["users"].get(self.user)
        if account and listener["uid"] == account["uid"]:
            return True
        return str(listener["exe"] or "").startswith(f"{layout['software']}/tools/caddy/")

    def addresses(self, host: Host, layout: Json) -> list[ListenAddress]:
        return [
            ListenAddress("caddy_bind", address, "0.0.0.0 and :: for all")
            for address in layout["caddy"]["bind"]
        ]

    def proxy(self, layout: Json) -> Proxy:
        caddy = layout["caddy"]
        return Proxy(
            (f"{layout['settings']}/Caddyfile", service_file(layout, self.user)),
            tuple(f"http://{bracketed(address)}:{caddy['port']}" for address in caddy["bind"]),
        )

    def removal(self, layout: Json) -> Removal:
        data = _data(layout)
        return Removal((UNIT,), paths=(data,), data=(data,), certificates=(data,))

    def problems(self, host: Host, layout: Json) -> list[Problem]:
        settings = host.settings
        return [
            *(
                _edge_name_problems(settings)
                if settings["homeport_edge_name"]
                else _origin_problems(_origin(settings), settings["caddy_port"])
            ),
            *_port_problems(settings["caddy_port"], rootful=layout["rootful"]),
            *_network_problems(settings["caddy_bind"], settings["caddy_trusted_proxies"]),
        ]


def _data(layout: Json) -> str:
    return f"{layout['state']}/caddy"


def _origin(settings: Json) -> str:
    """Where each port is seen: at the workstation's name at the edge, where it has one."""
    name = settings["homeport_edge_name"]
    if not name:
        return str(settings["homeport_origin"])
    return str(settings["homeport_edge_url"]).replace("{name}", "{port}-" + name)


def _edge_name_problems(settings: Json) -> list[Problem]:
    name = settings["homeport_edge_name"]
    if not NAME.fullmatch(name):
        return [
            (
                f"homeport_edge_name is {name!r}, which is no name at an edge",
                "write a word such as desk: lower case letters, digits and hyphens, 57 at most",
            )
        ]
    if not ORIGIN.fullmatch(_origin(settings)):
        return [
            (
                f"homeport_edge_url is {settings['homeport_edge_url']!r}, which is no address for homeport_edge_name",
                "set homeport_edge_url to the edge's, such as https://{name}.tunnel.example.com",
            )
        ]
    return []


def _origin_problems(origin: str, port: int) -> list[Problem]:
    match = ORIGIN.fullmatch(origin)
    if not match:
        return [
            (
                f"homeport_origin is {origin!r}, which is no pattern of an origin",
                "write it as http://{port}.localhost:8080 or https://{port}-dev.example.com, in lower case",
            )
        ]
    number = int(match["number"] or 80)
    if not 1 <= number <= 65535:
        return [(f"homeport_origin names port {number}", "a port is between 1 and 65535")]
    if match["host"].endswith("localhost") and number != port:
        return [
            (
                f"homeport_origin names port {number}, but Caddy listens on {port}",
                "make homeport_origin and caddy_port agree",
            )
        ]
    return []


def _port_problems(port: int, *, rootful: bool) -> list[Problem]:
    if not 1 <= port <= 65535:
        return [(f"caddy_port is {port}", "a port is a number between 1 and 65535")]
    if port < 1024 and not rootful:
        return [(f"caddy_port is {port}, which needs root", "choose one above 1023, or run as root")]
    return []


def _network_problems(bind: list[str], trusted_proxies: list[str]) -> list[Problem]:
    found = [] if bind else [("caddy_bind is empty", 'write it as ["127.0.0.1", "::1"]')]
    found += [
        (f"caddy_bind has {text!r}, which is no address", "write addresses such as 127.0.0.1")
        for text in bind
        if not is_address(text)
    ]
    return found + [
        (f"caddy_trusted_proxies has {text!r}, which is no network", "write networks such as 10.0.0.0/8")
        for text in trusted_proxies
        if not is_network(text)
    ]


COMPONENT = Caddy()
