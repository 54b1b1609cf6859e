"""What makes a host the public end of tunnels, and what stands in its way. No I/O, as rules."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Any

from ansible_collections.homeport.agent.plugins.module_utils.networks import check_network

Json = dict[str, Any]
Problems = list[tuple[str, str]]

TRAEFIK_USER = "homeport-traefik"
DOMAINS = "homeport-domains"  # certificates of single names, by HTTP-01
WILDCARD = "homeport-wildcard"  # one for all names, by DNS-01
SYSCTL_FILE = "/etc/sysctl.d/60-homeport-edge.conf"

# The same pattern as homeportd/settings.py, which checks it again when the file is written.
URL = re.compile(
    r"(?P<scheme>https?)://\{name\}\.(?P<base>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::(?P<number>[0-9]{1,5}))?"
)
ADDRESS = re.compile(r"(?P<host>127\.[0-9.]+|\[::1\]):(?P<number>[0-9]{1,5})")
RANGE = re.compile(r"([0-9]{1,5})-([0-9]{1,5})")
EPHEMERAL = (32768, 60999)  # where Linux takes the near end of outgoing connections from


def _ports(wishes: Json) -> Json:
    """The TCP ports of an edge: web, secure (0 without TLS), listen, metrics; empty where a wish is none."""
    url, listen = URL.fullmatch(str(wishes["edge_url"])), ADDRESS.fullmatch(str(wishes["edge_listen"]))
    if not wishes["edge"] or not url or not listen:
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


def watched_ports(wishes: Json) -> list[int]:
    """The TCP ports that must be free for an edge, or its own."""
    return sorted({port for port in _ports(wishes).values() if 0 < port <= 65535})


def layout(observed: Json, wishes: Json, places: Json) -> Json:
    """An edge's half of the layout; empty where the host is none, or its address is a mistake."""
    ports = _ports(wishes)
    if not ports:
        return {}
    url, bind = str(wishes["edge_url"]), str(wishes["edge_bind"])
    scheme, _, names = url.partition("://")
    base = names.removeprefix("{name}.").partition(":")[0]
    public = not _is_loopback(bind)
    rootful = places["rootful"]
    data = "/var/lib/homeport-traefik" if rootful else f"{places['state']}/traefik"
    logs = "/var/log/homeport-traefik" if rootful else f"{places['logs']}/traefik"
    secure = scheme == "https"
    host = wishes["edge_listen"].rpartition(":")[0]
    everywhere = ["0.0.0.0", "::"] if public else ["127.0.0.1", "::1"]  # noqa: S104 - an edge is public
    spans = {kind: str(wishes[f"{kind}_ports"]) for kind in ("tcp", "udp")}
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
        else [address for address in everywhere if observed["ipv6"] or ":" not in address],
        "tcp_ports": spans["tcp"],
        "udp_ports": spans["udp"],
        "public": public,
        "listen": wishes["edge_listen"],
        "metrics": f"{host}:{ports['metrics']}",
        "web": f"{_bracketed(bind)}:{ports['web']}",
        "secure": f"{_bracketed(bind)}:{ports['secure']}" if secure else "",
        # Where a check of this machine finds it.
        "near": f"{_bracketed(bind or '127.0.0.1')}:{ports['secure'] or ports['web']}",
        "own_ports": sorted({port for port in ports.values() if port}),
        "wildcard": WILDCARD if secure and wishes["dns_provider"] else "",
        "resolver": DOMAINS if secure else "",
        "admin_allow": wishes["admin_allow"],
        "open_tcp": [*(str(ports[key]) for key in ("web", "secure") if ports[key]), spans["tcp"]] * public,
        "open_udp": [spans["udp"]] * public,
        # Ports of tunnels that the kernel would give to outgoing connections, and shall not.
        "kept_ports": _kept(spans.values()) if public and rootful else "",
        "user": TRAEFIK_USER if rootful else observed["user"],
        "data": data,
        "routes": f"{data}/routes",
        "logs": logs,
        "log": f"{logs}/traefik.json",
        "access_log": f"{logs}/access.json",
    }


def directories(place: Json) -> list[tuple[str, str, str, str]]:
    """The folders of an edge: path, owner, group, mode."""
    edge, group = place["edge"], place["group"]
    if not edge:
        return []
    return [
        (edge["data"], edge["user"], group, "0755"),
        (f"{edge['data']}/acme", edge["user"], group, "0700"),
        # The agent writes what Traefik reads, and reads what Traefik writes: setgid gives both the same group.
        (edge["routes"], place["user"], group, "2750"),
        (edge["logs"], edge["user"], group, "2750"),
    ]


def files(place: Json) -> list[Json]:
    """Logs that must be there before Traefik makes them for itself alone: path, owner, group, mode."""
    edge = place["edge"]
    rows = (
        [(edge["log"], "0640"), (edge["access_log"], "0660")] if edge else []
    )  # the agent empties the latter
    return [
        {"path": path, "owner": edge["user"], "group": place["group"], "mode": mode} for path, mode in rows
    ]


def problems(observed: Json, wishes: Json, place: Json) -> Problems:
    """What would keep an edge from running, each with its fix."""
    if not wishes["edge"]:
        return []
    keeps = place["rootful"] and not _is_loopback(str(wishes["edge_bind"]))
    found = _variable_problems(wishes, keeps=keeps)
    if place["edge"]:
        found += _port_problems(observed, wishes, place)
    return found


def _variable_problems(wishes: Json, *, keeps: bool) -> Problems:
    """`keeps`: the kernel can be told to leave the ports of tunnels alone."""
    found = []
    url = URL.fullmatch(str(wishes["edge_url"]))
    if not url:
        found.append(
            (
                f"homeport_edge_url is {wishes['edge_url']!r}, which is no pattern of names",
                "write it as https://{name}.tunnel.example.com, in lower case",
            )
        )
    elif not 1 <= int(url["number"] or 80) <= 65535:
        found.append((f"homeport_edge_url names port {url['number']}", "a port is between 1 and 65535"))
    elif url["scheme"] == "http" and wishes["dns_provider"]:
        found.append(
            (
                "traefik_dns_provider is set, but homeport_edge_url begins with http://",
                "write https:// there: certificates are for TLS",
            )
        )
    listen = ADDRESS.fullmatch(str(wishes["edge_listen"]))
    if not listen or not 1 <= int(listen["number"]) < 65535:
        found.append(
            (
                f"homeportd_edge_listen is {wishes['edge_listen']!r}",
                "write it as 127.0.0.1:7070; the next port is Traefik's metrics",
            )
        )
    if wishes["edge_bind"] and not _parses(ipaddress.ip_address, wishes["edge_bind"]):
        found.append(
            (
                f"traefik_bind is {wishes['edge_bind']!r}",
                "write one address, or leave it empty for all of them",
            )
        )
    found += [
        (
            f"homeportd_admin_allow has {text!r}, which is no network",
            "write addresses or networks, such as 203.0.113.7 or 203.0.113.0/24",
        )
        for text in wishes["admin_allow"]
        if not _parses(check_network, text)
    ]
    for kind in ("tcp", "udp"):
        span = RANGE.fullmatch(str(wishes[f"{kind}_ports"]))
        if not span or not 1024 <= int(span[1]) <= int(span[2]) <= 65535:
            found.append(
                (
                    f"homeportd_{kind}_ports is {wishes[f'{kind}_ports']!r}",
                    "write it as 20000-29999, rising, within 1024 to 65535",
                )
            )
        elif not keeps and _kept([span[0]]):
            found.append(
                (
                    f"homeportd_{kind}_ports is {span[0]}, where this machine's own connections begin",
                    f"stay below {EPHEMERAL[0]} or above {EPHEMERAL[1]}",
                )
            )
    return found


def _port_problems(observed: Json, wishes: Json, place: Json) -> Problems:
    found = []
    edge, ports = place["edge"], _ports(wishes)
    low = sorted({port for port in (ports["web"], ports["secure"]) if 0 < port < 1024})
    if low and place["manager"] != "systemd":
        found.append(
            (
                f"homeport_edge_url needs port {' and '.join(map(str, low))}, which takes root and systemd",
                "name a port above 1023 in homeport_edge_url, as http://{name}.tunnel.localhost:8081",
            )
        )
    if place["workstation"] and wishes["port"] in edge["own_ports"]:
        found.append(
            (
                f"caddy_port is {wishes['port']}, which the edge uses too",
                "choose another caddy_port (and port in homeport_origin)",
            )
        )
    span = RANGE.fullmatch(edge["tcp_ports"])
    within = [port for port in edge["own_ports"] if span and int(span[1]) <= port <= int(span[2])]
    if within:
        found.append(
            (
                f"homeportd_tcp_ports is {edge['tcp_ports']}, which has the edge's own port {within[0]} in it",
                "choose a range without it",
            )
        )
    for port in edge["own_ports"]:
        inner = port in (ports["listen"], ports["metrics"])
        fix = "homeportd_edge_listen" if inner else "the port in homeport_edge_url"
        who = {
            listener["command"] or f"a process of user {listener['user']}"
            for listener in observed["edge_listeners"].get(str(port), ())
            if not _is_ours(listener, observed, place)
        }
        found += [
            (f"port {port} is taken by {name}", f"stop it, or change {fix} to a free one")
            for name in sorted(who)
        ]
    return found


def _kept(spans: Iterable[str]) -> str:
    """Those spans that reach into EPHEMERAL, rising and merged as the kernel writes them."""
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


def _is_ours(listener: Json, observed: Json, place: Json) -> bool:
    """Traefik's by its program or user; the agent's by its command, where that can be seen, and user."""
    exe, command = str(listener["exe"] or ""), str(listener["command"] or "")
    if exe.startswith(f"{place['software']}/tools/traefik/") or (
        not exe and listener["user"] == TRAEFIK_USER
    ):
        return True
    agent = f"{place['software']}/" in command and "homeportd" in command
    # Until a handover is finished, the agent that runs is that of an earlier user.
    users = {place["user"], *place["handover"].get("from", ())}
    return bool(listener["user"] in users and (agent or not command))


def _is_loopback(address: str) -> bool:
    return _parses(ipaddress.ip_address, address) and ipaddress.ip_address(address).is_loopback


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _parses(parse: Any, text: Any) -> bool:
    try:
        parse(str(text))
    except ValueError:
        return False
    return True
