"""The public end of tunnels: its address, its ports, and what the agent and Traefik share of it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ansible_collections.homeport.agent.plugins.module_utils.components import (
    Component,
    Host,
    Json,
    ListenAddress,
    Problem,
    Socket,
)
from ansible_collections.homeport.agent.plugins.module_utils.networks import (
    is_address,
    is_loopback,
    networks,
)

LISTEN_SETTING = "homeportd_edge_listen"

# The same pattern as the agent's settings, which check it again when the file is written.
URL = re.compile(
    r"(?P<scheme>https?)://\{name\}\.(?P<base>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::(?P<number>[0-9]{1,5}))?"
)
ADDRESS = re.compile(r"(?P<host>127\.[0-9.]+|\[::1\]):(?P<number>[0-9]{1,5})")
RANGE = re.compile(r"([0-9]{1,5})-([0-9]{1,5})")
EPHEMERAL = (32768, 60999)  # where Linux takes the near end of outgoing connections from


class Edge(Component):
    name = "edge"
    groups = ("edge",)
    roles = ("homeport", "homeportd", "traefik")

    def watched_ports(self, settings: Json) -> list[int]:
        """Those of Traefik, which the address of the edge decides, among them."""
        return sorted({port for port in _ports(settings).values() if 0 < port <= 65535})

    def layout(self, host: Host, layout: Json) -> Json:
        """Empty also where its address is a mistake, which is a problem."""
        settings = host.settings
        ports = _ports(settings)
        if not ports:
            return {}
        url, bind = str(settings["homeport_edge_url"]), str(settings["traefik_bind"])
        scheme, _unused, names = url.partition("://")
        base = names.removeprefix("{name}.").partition(":")[0]
        public = not is_loopback(bind)
        everywhere = ["0.0.0.0", "::"] if public else ["127.0.0.1", "::1"]  # noqa: S104 - an edge is public
        tcp_ports, udp_ports = settings["homeportd_tcp_ports"], settings["homeportd_udp_ports"]
        return {
            "url": url,
            "base": base,
            "scheme": scheme,
            "connect": url.replace("{name}.", ""),
            "admin": url.replace("{name}", "admin"),
            # Where TCP and UDP ports are reached; every name below .localhost is this machine.
            "host": "localhost" if base.endswith(".localhost") else base,
            "bind": [bind]
            if public and bind
            else [address for address in everywhere if host.observed["ipv6"] or ":" not in address],
            "tcp_ports": tcp_ports,
            "udp_ports": udp_ports,
            "public": public,
            "listen": settings["homeportd_edge_listen"],
            "ports": ports,
            "admin_allow": networks(settings["homeportd_admin_allow"]),
            "open_web": [str(ports[key]) for key in ("web", "secure") if ports[key]] * public,
            "open_tcp": [*(str(ports[key]) for key in ("web", "secure") if ports[key]), tcp_ports] * public,
            "open_udp": [udp_ports] * public,
            # Ports of tunnels that the kernel would give to outgoing connections, and shall not.
            "reserved_ports": _reserved((tcp_ports, udp_ports)) if public and layout["rootful"] else "",
        }

    def sockets(self, layout: Json) -> list[Socket]:
        return [Socket(layout["edge"]["ports"]["listen"], LISTEN_SETTING)]

    def owns(self, listener: Json, host: Host, layout: Json) -> bool:
        """The agent's: known by its command, where that can be seen, and its user."""
        agent, command = layout["agent"], str(listener["command"] or "")
        is_agent = f"{layout['software']}/" in command and "homeportd" in command
        # Until a handover is finished, the agent that runs is that of an earlier user.
        users = {agent["user"], *agent["handover"].get("from", ())}
        return bool(listener["user"] in users and (is_agent or not command))

    def addresses(self, host: Host, layout: Json) -> list[ListenAddress]:
        address = layout["edge"]["listen"].rpartition(":")[0].strip("[]")
        return [ListenAddress(LISTEN_SETTING, address, "")]

    def problems(self, host: Host, layout: Json) -> list[Problem]:
        settings = host.settings
        # Whether the kernel can be kept from using the ports of tunnels.
        reserves = layout["rootful"] and not is_loopback(str(settings["traefik_bind"]))
        found = _address_problems(settings)
        for kind in ("tcp", "udp"):
            name = f"homeportd_{kind}_ports"
            found += _range_problems(name, settings[name], reserves=reserves)
        if layout["edge"]:
            found += _own_port_problems(layout)
        return found


def _ports(settings: Json) -> dict[str, int]:
    """The TCP ports of an edge: web, secure (0 without TLS), listen, metrics; empty where a setting is a mistake."""
    url = URL.fullmatch(str(settings["homeport_edge_url"]))
    listen = ADDRESS.fullmatch(str(settings["homeportd_edge_listen"]))
    if not url or not listen:
        return {}
    secure = url["scheme"] == "https"
    number = int(url["number"] or (443 if secure else 80))
    return {
        # Beside another port than 443 there is no well-known one for those who come without TLS.
        "web": (80 if number == 443 else number - 1) if secure else number,
        "secure": number if secure else 0,
        "listen": int(listen["number"]),
        "metrics": int(listen["number"]) + 1,
    }


def _address_problems(settings: Json) -> list[Problem]:
    found = []
    text = settings["homeport_edge_url"]
    url = URL.fullmatch(str(text))
    if not url:
        found.append(
            (
                f"homeport_edge_url is {text!r}, which is no pattern of names",
                "write it as https://{name}.tunnel.example.com, in lower case",
            )
        )
    elif not 1 <= int(url["number"] or 80) <= 65535:
        found.append((f"homeport_edge_url names port {url['number']}", "a port is between 1 and 65535"))
    listen = ADDRESS.fullmatch(settings["homeportd_edge_listen"])
    if not listen or not 1 <= int(listen["number"]) < 65535:
        found.append(
            (
                f"homeportd_edge_listen is {settings['homeportd_edge_listen']!r}",
                "write it as 127.0.0.1:7070; the next port is Traefik's metrics",
            )
        )
    if settings["traefik_bind"] and not is_address(settings["traefik_bind"]):
        fix = "write one address, or leave it empty for all of them"
        found.append((f"traefik_bind is {settings['traefik_bind']!r}", fix))
    return found


def _range_problems(name: str, text: str, *, reserves: bool) -> list[Problem]:
    span = RANGE.fullmatch(text)
    if not span or not 1024 <= int(span[1]) <= int(span[2]) <= 65535:
        return [(f"{name} is {text!r}", "write it as 20000-29999, rising, within 1024 to 65535")]
    if not reserves and _reserved([text]):
        return [
            (
                f"{name} is {text}, where this machine's own connections begin",
                f"stay below {EPHEMERAL[0]} or above {EPHEMERAL[1]}",
            )
        ]
    return []


def _own_port_problems(layout: Json) -> list[Problem]:
    edge = layout["edge"]
    span = RANGE.fullmatch(edge["tcp_ports"])
    own = sorted(port for port in edge["ports"].values() if port)
    within = [port for port in own if span and int(span[1]) <= port <= int(span[2])]
    found = []
    if within:
        found.append(
            (
                f"homeportd_tcp_ports is {edge['tcp_ports']}, which has the edge's own port {within[0]} in it",
                "choose a range without it",
            )
        )
    port = layout["caddy"].get("port")
    if port in own:
        found.append(
            (
                f"caddy_port is {port}, which the edge uses too",
                "choose another caddy_port (and port in homeport_origin)",
            )
        )
    return found


def _reserved(spans: Iterable[str]) -> str:
    """Those ranges that reach into EPHEMERAL, rising and merged as the kernel writes them."""
    found = (RANGE.fullmatch(text) for text in spans)
    ends = sorted((int(span[1]), int(span[2])) for span in found if span)
    merged: list[tuple[int, int]] = []
    for first, last in ends:
        if first > EPHEMERAL[1] or last < EPHEMERAL[0]:
            continue
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return ",".join(f"{first}-{last}" if last > first else str(first) for first, last in merged)


COMPONENT = Edge()
