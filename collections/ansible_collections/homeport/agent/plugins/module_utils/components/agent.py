"""The agent: its releases, its user, its data, its sockets, and the command that people type."""

from __future__ import annotations

import posixpath
import re

from ansible_collections.homeport.agent.plugins.module_utils import user_rules
from ansible_collections.homeport.agent.plugins.module_utils.components import (
    Component,
    Folder,
    Host,
    Json,
    Problem,
    Removal,
)
from ansible_collections.homeport.agent.plugins.module_utils.names import (
    OWN_HOME,
    OWN_USER,
    TMPFILES,
    UNITS,
)
from ansible_collections.homeport.agent.plugins.module_utils.networks import is_network, networks

OWNER_READER_FOLDER = "/run/homeport-owner-reader"  # root's, made by the process itself
OWNER_READER_SOCKET = f"{OWNER_READER_FOLDER}/owners.sock"
SERVICES = ("homeportd", "homeport-owner-reader")
# What earlier releases ran and this one does not: the owner reader, under its first name.
RETIRED = "homeport-witness"
RETIRED_FOLDER = f"/run/{RETIRED}"
# A person's own, below settings where there is no root: which edge they use, and the token for it.
CLIENT_SETTINGS = "edge.toml"

LONGEST_SOCKET = "/visitors/visitors.sock"
MAX_SOCKET_PATH = 107  # bytes, sockaddr_un without its closing zero
RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")
MEMORY = re.compile(r"[0-9]+(?:\.[0-9]+)?[KMGTPE%]?|infinity")  # as systemd reads MemoryMax


class Agent(Component):
    name = "agent"
    after = ()
    roles = ("homeport", "homeportd", "artifact")

    def layout(self, host: Host, layout: Json) -> Json:
        settings, state = host.settings, layout["state"]
        user, reason = user_rules.choose(host, rootful=layout["rootful"])
        account = host.observed["users"].get(user, {})
        return {
            "user": user,
            "user_reason": reason,
            "user_sentence": user_rules.REASONS[reason],
            "user_home": account.get("home", f"{state}/home"),
            "user_group": account.get("group", user),
            "uid": account.get("uid"),  # null until the user is made
            "repos": f"{state}/repos",
            "data": f"{state}/data",
            # The dev servers of root and of other people are shown to the agent by a process of root's.
            "owner_reader": OWNER_READER_SOCKET if layout["rootful"] and "workstation" in host.groups else "",
            # Those that a release of the agent may have, itself first.
            "services": [*SERVICES, RETIRED],
            "port_ranges": settings["homeport_port_ranges"],
            "admin_allow": networks(settings["homeportd_admin_allow"]),
            "memory_max": settings["homeportd_memory_max"],
            "open_files": settings["homeportd_open_files"],
            "python": settings["artifact_python"],
            "keep_releases": settings["artifact_keep_releases"],
        }

    def complete(self, host: Host, layout: Json, folders: list[Folder]) -> Json:
        """The address of the dashboard, and what is handed over from an earlier user."""
        user = layout["agent"]["user"]
        own = [folder for folder in folders if folder.owner == user and folder.path != OWN_HOME]
        return {
            "dashboard": layout["caddy"].get("dashboard") or layout["edge"].get("admin", ""),
            "handover": user_rules.handover(host, user, own) if layout["rootful"] else {},
        }

    def folders(self, layout: Json) -> list[Folder]:
        agent, software, state = layout["agent"], layout["software"], layout["state"]
        root, root_group = layout["root_user"], layout["root_group"]
        rows = [
            Folder(software, root, root_group, "0755"),
            Folder(f"{software}/releases", root, root_group, "0755"),
            Folder(f"{software}/tools", root, root_group, "0755"),
            Folder(layout["settings"], root, root_group, "0755"),
            Folder(state, root, root_group, "0755"),
            Folder(agent["repos"], agent["user"], agent["user_group"], "0755"),
            Folder(agent["data"], agent["user"], agent["user_group"], "0700"),
            # setgid: the agent's sockets take the group that lets the reverse proxies in, and no one else.
            Folder(layout["sockets"], agent["user"], layout["group"], "2750"),
            *(Folder(posixpath.dirname(link["path"]), "", "", "") for link in self.links(layout)),
        ]
        if agent["user"] == OWN_USER and layout["rootful"]:
            rows.append(Folder(OWN_HOME, OWN_USER, agent["user_group"], ""))
        return rows

    def links(self, layout: Json) -> list[Json]:
        """The command on the PATH, and its completion for three shells."""
        current, share = f"{layout['software']}/current", layout["share"]
        completion = f"{current}/share/homeport"
        targets = {
            f"{layout['bin']}/homeport": f"{current}/bin/homeport",
            f"{share}/bash-completion/completions/homeport": f"{completion}/homeport.bash",
            f"{share}/zsh/site-functions/_homeport": f"{completion}/_homeport",
            f"{share}/fish/vendor_completions.d/homeport.fish": f"{completion}/homeport.fish",
        }
        return [{"path": path, "target": target} for path, target in targets.items()]

    def system_folders(self, layout: Json) -> list[str]:
        return [UNITS, TMPFILES] if layout["manager"] == "systemd" else []

    def retired(self, layout: Json) -> list[str]:
        if not layout["rootful"]:
            return []
        if layout["manager"] == "systemd":
            return [f"{UNITS}/{RETIRED}.service", RETIRED_FOLDER]
        return [f"{layout['settings']}/programs/{RETIRED}.conf", RETIRED_FOLDER]

    def removal(self, layout: Json) -> Removal:
        software, state, settings = layout["software"], layout["state"], layout["settings"]
        repositories = (f"{state}/repos", f"{state}/data")
        links = [link["path"] for link in self.links(layout)]
        system = (
            (f"{TMPFILES}/homeport.conf", RETIRED_FOLDER, OWNER_READER_FOLDER) if layout["rootful"] else ()
        )
        # Without root software and state are one folder, whose repositories and data stay.
        parts = tuple(f"{software}/{name}" for name in ("current", "releases", "tools"))
        return Removal(
            units=tuple(f"{name}.service" for name in (*SERVICES, RETIRED)),
            paths=(
                *links,
                *system,
                *(layout["sockets"], settings, layout["logs"]),
                *(parts if software == state else (software,)),
            ),
            data=(*repositories, state) if layout["rootful"] else (*repositories, state, settings),
            repositories=repositories,
            kept=() if layout["rootful"] else (f"{settings}/{CLIENT_SETTINGS}",),
            parents=tuple(
                folder
                for link in links
                for folder in _parents(link)
                if folder.startswith(f"{layout['share']}/")
            ),
        )

    def problems(self, host: Host, layout: Json) -> list[Problem]:
        settings = host.settings
        found = user_rules.problems(host, layout)
        if not settings["homeport_port_ranges"]:
            found.append(("homeport_port_ranges is empty", 'write it as ["3000-9999"]'))
        found += [
            (f"homeport_port_ranges has {text!r}", "a range is 3000-9999 or 3000, rising, within 1 to 65535")
            for text in settings["homeport_port_ranges"]
            if not _is_range(text)
        ]
        found += [
            (
                f"homeportd_admin_allow has {text!r}, which is no network",
                "write 203.0.113.7 or 203.0.113.0/24",
            )
            for text in settings["homeportd_admin_allow"]
            if not is_network(text)
        ]
        if not MEMORY.fullmatch(settings["homeportd_memory_max"]):
            found.append(
                (
                    f"homeportd_memory_max is {settings['homeportd_memory_max']!r}, which is no amount of memory",
                    "write it as 512M, 1G or 10%; infinity is no limit",
                )
            )
        for name in ("homeportd_open_files", "artifact_keep_releases"):
            if settings[name] < 1:
                found.append((f"{name} is {settings[name]}", "write a number above 0"))
        if len((layout["sockets"] + LONGEST_SOCKET).encode()) > MAX_SOCKET_PATH:
            found.append(
                (
                    f"{layout['sockets']} is too long for the name of a unix socket",
                    "use a user with a shorter home, or run as root",
                )
            )
        return found


def _parents(path: str) -> list[str]:
    """The folders above a path, the innermost first."""
    found = []
    while (path := posixpath.dirname(path)) != "/":
        found.append(path)
    return found


def _is_range(text: str) -> bool:
    match = RANGE.fullmatch(text)
    return match is not None and 1 <= int(match[1]) <= int(match[2] or match[1]) <= 65535


COMPONENT = Agent()
