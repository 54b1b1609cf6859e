"""What an installation shall look like, and what stands in its way. No I/O, so it is tested without a host.

Everything here runs on the target, so it keeps to the standard library. `Observed` is what
the module `preflight` saw, `Wishes` is what the inventory says; both are plain dictionaries of JSON.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any

from ansible_collections.homeport.agent.plugins.module_utils import (
    caddy_rules,
    edge_rules,
    host_rules,
    user_rules,
)

Json = dict[str, Any]

GROUP = "homeport"
CADDY_USER = caddy_rules.CADDY_USER
OWN_USER = user_rules.OWN_USER
OWN_HOME = f"{user_rules.STATE}/home"

OWNER_READER = "/run/homeport-owner-reader/owners.sock"  # in a folder of root's, made by the process itself

MIN_PYTHON = (3, 11)
SUPPORTED = {"debian": (12,), "ubuntu": (24, 4)}
SUPPORTED_TEXT = "Debian 12 or newer, or Ubuntu 24.04 or newer"

MIB = 1024 * 1024
NEED_SOFTWARE = 512 * MIB  # two releases of the agent and Caddy side by side, while one replaces the other
NEED_STATE = 128 * MIB
MAX_SOCKET_PATH = 107  # bytes, sockaddr_un without its closing zero
UNITS = "/etc/systemd/system"
# What earlier releases ran and this one does not.
RETIRED_UNITS = ("homeport-witness.service",)
RETIRED_PROGRAMS = ("homeport-witness.conf",)
RETIRED_FOLDERS = ("/run/homeport-witness",)
LONGEST_SOCKET = "/gateway.sock"

RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")


def layout(observed: Json, wishes: Json) -> Json:
    """Where everything goes and who runs it, for this host."""
    rootful = user_rules.is_rootful(observed, wishes)
    user, reason = user_rules.choose(observed, wishes, rootful)
    if rootful:
        places = {
            "software": "/opt/homeport",
            "state": user_rules.STATE,
            "settings": "/etc/homeport",
            "sockets": "/run/homeport",
            "logs": "/var/log/homeport",
            "bin": "/usr/local/bin",
            "share": "/usr/local/share",
        }
    else:
        home = observed["home"]
        places = {
            "software": f"{home}/.local/share/homeport",
            "state": f"{home}/.local/share/homeport",
            "settings": f"{home}/.config/homeport",
            "sockets": f"{home}/.local/share/homeport/run",
            "logs": f"{home}/.local/state/homeport",
            "bin": f"{home}/.local/bin",
            "share": f"{home}/.local/share",
        }
    match = caddy_rules.ORIGIN.fullmatch(str(wishes["origin"]))
    manager = "systemd" if rootful and observed["systemd"] else "supervisor"
    group = GROUP if rootful else observed["group"]
    dashboard = str(wishes["origin"]).replace("{port}" + match["joint"], "") if match else ""
    edge = edge_rules.layout(observed, wishes, {**places, "rootful": rootful, "group": group})
    if not wishes["workstation"]:
        dashboard = edge.get("admin", "")
    place = {
        **places,
        "workstation": wishes["workstation"],
        "edge": edge,
        "rootful": rootful,
        "elevate": rootful and observed["uid"] != 0,
        "manager": manager,
        "user": user,
        "user_reason": reason,
        "user_sentence": user_rules.REASONS[reason],
        "user_home": observed["users"].get(user, {}).get("home", f"{places['state']}/home"),
        "user_group": observed["users"].get(user, {}).get("group", user),
        "group": group,
        "caddy_user": CADDY_USER if rootful else observed["user"],
        "root_user": "root" if rootful else observed["user"],
        "root_group": "root" if rootful else observed["group"],
        "repos": f"{places['state']}/repos",
        "data": f"{places['state']}/data",
        "caddy_data": f"{places['state']}/caddy",
        # The dev servers of root and of other people are shown to the agent by a process of root's.
        "owner_reader": OWNER_READER if rootful and wishes["workstation"] else "",
        "origin": wishes["origin"],
        "dashboard": dashboard,
        "port_ranges": wishes["port_ranges"],
        "port": wishes["port"],
        "trusted_proxies": wishes["trusted_proxies"],
        "bind": [address for address in wishes["bind"] if observed["ipv6"] or ":" not in str(address)],
        "crontab": observed["crontab"] and not rootful,
        "boot": manager == "systemd" or (observed["crontab"] and not rootful),
        "nft": observed["nft"],
        "ssh_ports": observed["ssh_ports"],
        "localhost_names": wishes["localhost_names"] and rootful,
        "own_ports": [wishes["port"]] * wishes["workstation"] + edge.get("own_ports", []),
        "firewall": wishes["firewall"] is True
        or bool(wishes["firewall"] == "auto" and edge.get("public") and manager == "systemd"),
    }
    of_user = [row for row in directories(place) if row["owner"] == user and row["path"] != OWN_HOME]
    place["handover"] = user_rules.handover(observed, user, of_user) if rootful else {}
    return place


def directories(place: Json) -> list[Json]:
    """The folders of an installation, parents first: path, owner, group, mode ("" is any)."""
    root, root_group = place["root_user"], place["root_group"]
    user, user_group = place["user"], place["user_group"]
    rows = [
        (place["software"], root, root_group, "0755"),
        (f"{place['software']}/releases", root, root_group, "0755"),
        (f"{place['software']}/tools", root, root_group, "0755"),
        (place["settings"], root, root_group, "0755"),
        (place["state"], root, root_group, "0755"),
        (place["repos"], user, user_group, "0755"),
        (place["data"], user, user_group, "0700"),
        # setgid: the agent's sockets take the group that lets Caddy in, and no one else.
        (place["sockets"], user, place["group"], "2750"),
    ]
    if place["workstation"]:
        rows.append((place["caddy_data"], place["caddy_user"], place["group"], "0700"))
    if place["manager"] == "supervisor":
        rows.append((f"{place['settings']}/programs", root, root_group, "0755"))
        rows.append((place["logs"], root, root_group, "0755"))
    rows += edge_rules.directories(place)
    rows += [(posixpath.dirname(link["path"]), "", "", "") for link in links(place)]
    if place["user"] == OWN_USER and place["rootful"]:
        rows.append((OWN_HOME, OWN_USER, user_group, ""))
    unique = {row[0]: row for row in rows}
    return [
        {"path": path, "owner": owner, "group": group, "mode": mode}
        for path, owner, group, mode in unique.values()
    ]


def links(place: Json) -> list[Json]:
    """The command on the PATH and its completion for three shells: path, target."""
    current, share = f"{place['software']}/current", place["share"]
    completion = f"{current}/share/homeport"
    return [
        {"path": f"{place['bin']}/homeport", "target": f"{current}/bin/homeport"},
        {"path": f"{share}/bash-completion/completions/homeport", "target": f"{completion}/homeport.bash"},
        {"path": f"{share}/zsh/site-functions/_homeport", "target": f"{completion}/_homeport"},
        {"path": f"{share}/fish/vendor_completions.d/homeport.fish", "target": f"{completion}/homeport.fish"},
    ]


def service_users(place: Json) -> list[Json]:
    """The system users that Caddy and Traefik run as: name, comment, home."""
    if not place["rootful"]:
        return []
    users = []
    if place["workstation"]:
        users.append({"name": CADDY_USER, "comment": "Homeport's front door", "home": place["caddy_data"]})
    if place["edge"]:
        users.append(
            {"name": place["edge"]["user"], "comment": "Homeport's edge", "home": place["edge"]["data"]}
        )
    return users


def retired(place: Json) -> list[str]:
    """Files and folders of processes that this release does not run any more."""
    if not place["rootful"]:
        return []
    if place["manager"] == "systemd":
        files = [f"{UNITS}/{name}" for name in RETIRED_UNITS]
    else:
        files = [f"{place['settings']}/programs/{name}" for name in RETIRED_PROGRAMS]
    return [*files, *RETIRED_FOLDERS]


def problems(observed: Json, wishes: Json, place: Json) -> list[Json]:
    """Everything that would make the run fail, each as {"error", "fix"}; empty when it may start."""
    machine = host_rules.problems(observed, wishes, place)
    observed = host_rules.without_installations(observed, place)
    found = [
        *user_rules.root_problems(observed, wishes, place),
        *_variable_problems(wishes, place),
        *user_rules.problems(observed, wishes, place),
        *_machine_problems(observed, wishes, place),
        *machine,
        *(caddy_rules.problems(observed, wishes, place) if place["workstation"] else []),
        *edge_rules.problems(observed, wishes, place),
    ]
    return [{"error": error, "fix": fix} for error, fix in found]


def _variable_problems(wishes: Json, place: Json) -> list[tuple[str, str]]:
    found = []
    ranges = wishes["port_ranges"]
    if not isinstance(ranges, list) or not ranges:
        found.append(("homeport_port_ranges is not a list of ranges", 'write it as ["3000-9999"]'))
    else:
        found += [
            (f"homeport_port_ranges has {text!r}", "a range is 3000-9999 or 3000, rising, within 1 to 65535")
            for text in ranges
            if not _is_range(str(text))
        ]
    if wishes["firewall"] not in (True, False, "auto"):
        found.append((f"firewall_enabled is {wishes['firewall']!r}", "it is auto, true or false"))
    elif wishes["firewall"] is True and place["manager"] != "systemd":
        found.append(("firewall_enabled needs root and systemd", "set firewall_enabled: false for this host"))
    if wishes["localhost_names"] and not place["rootful"]:
        found.append(
            (
                "localhost_names_enabled needs root, for it installs a package",
                "leave it out, and have somebody with root run: apt-get install libnss-myhostname",
            )
        )
    return found


def _is_range(text: str) -> bool:
    match = RANGE.fullmatch(text)
    return bool(match) and 1 <= int(match[1]) <= int(match[2] or match[1]) <= 65535


def _machine_problems(observed: Json, wishes: Json, place: Json) -> list[tuple[str, str]]:
    found = []
    system = observed["os"]
    version = tuple(int(part) for part in re.findall(r"[0-9]+", system["version"]))
    least = SUPPORTED.get(system["id"])
    # Debian testing and unstable have no version number.
    if not wishes["any_os"] and (least is None or (version and version < least)):
        found.append(
            (
                f"{system['name']} is not supported",
                f"use {SUPPORTED_TEXT}, or set preflight_any_os: true to try all the same",
            )
        )
    python = observed["python"]
    if python["version"] is None:
        found.append(
            (f"there is no {python['path']}", "apt-get install python3, or set artifact_python to a Python")
        )
    elif tuple(python["version"]) < MIN_PYTHON:
        found.append(
            (
                f"{python['path']} is Python {'.'.join(map(str, python['version']))}",
                "Homeport needs 3.11 or newer: set artifact_python to one",
            )
        )
    needed: dict[str, Json] = {}
    for key, size in (("software", NEED_SOFTWARE), ("state", NEED_STATE)):
        disk = observed["disks"][place[key]]
        entry = needed.setdefault(
            str(disk["device"]), {"need": 0, "free": disk["free"], "at": disk["nearest"]}
        )
        entry["need"] += size
    found += [
        (
            f"{entry['free'] // MIB} MiB are free at {entry['at']}, and {entry['need'] // MIB} are needed",
            "make room there: old packages (apt-get clean), logs (journalctl --vacuum-size=100M)",
        )
        for entry in needed.values()
        if entry["free"] < entry["need"]
    ]
    if len((place["sockets"] + LONGEST_SOCKET).encode()) > MAX_SOCKET_PATH:
        found.append(
            (
                f"{place['sockets']} is too long for the name of a unix socket",
                "use a user with a shorter home, or run as root",
            )
        )
    return found
