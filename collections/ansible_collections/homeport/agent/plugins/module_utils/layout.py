"""The layout of an installation, which is the fact `homeport`, and what stands in its way. No I/O.

The layout has the host's own part at the top, decided here, and beside it the part of each component by its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict

from ansible_collections.homeport.agent.plugins.module_utils import host_rules, user_rules
from ansible_collections.homeport.agent.plugins.module_utils.components import (
    Component,
    Folder,
    Host,
    Json,
    Problem,
)
from ansible_collections.homeport.agent.plugins.module_utils.names import GROUP, SETTINGS, SOFTWARE, STATE

MIN_PYTHON = (3, 11)
SUPPORTED = {"debian": (12,), "ubuntu": (24, 4)}
SUPPORTED_TEXT = "Debian 12 or newer, or Ubuntu 24.04 or newer"

MIB = 1024 * 1024
NEED_SOFTWARE = 512 * MIB  # two releases of the agent and Caddy side by side, while one replaces the other
NEED_STATE = 128 * MIB


def layout(host: Host, components: list[Component]) -> Json:
    """Where everything goes and who runs it, for this host."""
    found = _own_part(host)
    for component in components:
        here = set(component.groups) & set(host.groups)
        found[component.name] = component.layout(host, found) if here else {}
    rows = folders(found, components)
    for component in present(found, components):
        found[component.name] |= component.complete(host, found, rows)
    found["own_ports"] = sorted(
        {socket.port for component in present(found, components) for socket in component.sockets(found)}
    )
    found["tools"] = [component.tool for component in present(found, components) if component.tool]
    found["packages"] = [
        name for component in present(found, components) for name in component.packages(host, found)
    ]
    return found


def _own_part(host: Host) -> Json:
    observed = host.observed
    rootful = user_rules.is_rootful(host)
    if rootful:
        places = {
            "software": SOFTWARE,
            "state": STATE,
            "settings": SETTINGS,
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
    manager = "systemd" if rootful and observed["systemd"] else "supervisor"
    crontab = observed["crontab"] and not rootful
    return {
        **places,
        "groups": list(host.groups),
        "rootful": rootful,
        "elevate": rootful and observed["uid"] != 0,
        "manager": manager,
        "crontab": crontab,
        "boot": manager == "systemd" or crontab,
        "group": GROUP if rootful else observed["group"],
        "root_user": "root" if rootful else observed["user"],
        "root_group": "root" if rootful else observed["group"],
    }


def present(found: Json, components: Iterable[Component]) -> list[Component]:
    """The components that a host has."""
    return [component for component in components if found[component.name]]


def folders(found: Json, components: list[Component]) -> list[Folder]:
    """The folders of an installation, parents first."""
    rows = [row for component in present(found, components) for row in component.folders(found)]
    return list({row.path: row for row in rows}.values())


def files(found: Json, components: list[Component]) -> list[Folder]:
    """The files that must be there before a process makes them."""
    return [row for component in present(found, components) for row in component.files(found)]


def links(found: Json, components: list[Component]) -> list[Json]:
    """The symbolic links of an installation: path, target."""
    return [link for component in present(found, components) for link in component.links(found)]


def proxies(found: Json, components: list[Component]) -> dict[str, Json]:
    """The reverse proxies of an installation, by the name of the service: files, addresses, log."""
    rows = ((component.user, component.proxy(found)) for component in present(found, components))
    return {name: asdict(proxy) for name, proxy in rows if proxy is not None}


def service_users(found: Json, components: list[Component]) -> list[Json]:
    """The system users that components run as: name, comment, group, home. Without root there are none."""
    if not found["rootful"]:
        return []
    return [
        {
            "name": component.user,
            "comment": component.user_comment,
            "group": component.group or found["group"],
            "home": found[component.name]["data"],
        }
        for component in present(found, components)
        if component.user
    ]


def shared_groups(found: Json, components: list[Component]) -> list[str]:
    """The groups that the agent's user shares with components. Without root there are none."""
    if not found["rootful"]:
        return []
    own = [component.group for component in present(found, components) if component.group]
    return [found["group"], *own]


def retired(found: Json, components: list[Component]) -> list[str]:
    """Files and folders of processes that this release does not run any more."""
    return [path for component in present(found, components) for path in component.retired(found)]


def written_folders(found: Json, components: list[Component]) -> list[str]:
    """Where a run writes: the installation's own folders, and those of the system that get a file."""
    paths = [row.path for row in folders(found, components)]
    paths += [path for component in present(found, components) for path in component.system_folders(found)]
    return list(dict.fromkeys(paths))


def problems(host: Host, found: Json, components: list[Component]) -> list[Problem]:
    """Everything that would make the run fail; empty when it may start."""
    here = [component for component in components if set(component.groups) & set(host.groups)]
    there = present(found, components)
    return [
        *user_rules.root_problems(host, found),
        *(problem for component in here for problem in component.problems(host, found)),
        *_machine_problems(host, found),
        *host_rules.problems(host, found, there),
    ]


def _machine_problems(host: Host, found: Json) -> list[Problem]:
    observed, settings = host.observed, host.settings
    problems: list[Problem] = []
    system = observed["os"]
    version = tuple(int(part) for part in re.findall(r"[0-9]+", system["version"]))
    least = SUPPORTED.get(system["id"])
    # Debian testing and unstable have no version number.
    if not settings["preflight_any_os"] and (least is None or (version and version < least)):
        fix = f"use {SUPPORTED_TEXT}, or set preflight_any_os: true to try all the same"
        problems.append((f"{system['name']} is not supported", fix))
    python = observed["python"]
    if python["version"] is None:
        fix = "apt-get install python3, or set artifact_python to a Python"
        problems.append((f"there is no {python['path']}", fix))
    elif tuple(python["version"]) < MIN_PYTHON:
        problems.append(
            (
                f"{python['path']} is Python {'.'.join(map(str, python['version']))}",
                "Homeport needs 3.11 or newer: set artifact_python to one",
            )
        )
    return problems + _disk_problems(observed, found)


def _disk_problems(observed: Json, found: Json) -> list[Problem]:
    needed: dict[str, Json] = {}
    for key, size in (("software", NEED_SOFTWARE), ("state", NEED_STATE)):
        disk = observed["disks"][found[key]]
        entry = needed.setdefault(
            str(disk["device"]), {"need": 0, "free": disk["free"], "at": disk["nearest"]}
        )
        entry["need"] += size
    return [
        (
            f"{entry['free'] // MIB} MiB are free at {entry['at']}, and {entry['need'] // MIB} are needed",
            "make room there: old packages (apt-get clean), logs (journalctl --vacuum-size=100M)",
        )
        for entry in needed.values()
        if entry["free"] < entry["need"]
    ]
