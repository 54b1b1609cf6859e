"""What is taken off a host, and what stays. No I/O.

It does not go by the inventory of today: a host that is no edge any more may still have the files of one.
"""

from __future__ import annotations

import posixpath
from typing import Any

from ansible_collections.homeport.agent.plugins.module_utils import caddy_rules, edge_rules

Json = dict[str, Any]

GROUP = "homeport"
OWN_USER = "homeport"
OWN_COMMENT = "Homeport"  # of the account that the role homeportd made, and of no person's
UNITS = "/etc/systemd/system"
UNIT_NAMES = (
    "homeport-caddy.service",
    "homeport-traefik.service",
    "homeportd.service",
    "homeport-witness.service",  # until 0.1
    "homeport-owner-reader.service",
    "homeport-firewall.service",
)
# A person's own, below settings where there is no root: which edge they use, and the token for it.
ACCOUNT = "edge.toml"


def edge_folders(place: Json) -> tuple[str, str]:
    """The data and the logs of Traefik, whether the host is an edge today or not."""
    if place["rootful"]:
        return "/var/lib/homeport-traefik", "/var/log/homeport-traefik"
    return f"{place['state']}/traefik", f"{place['logs']}/traefik"


def certificates(place: Json) -> list[str]:
    """Where Caddy and Traefik keep what they got from an authority, which gives only so many in a week."""
    return [place["caddy_data"], f"{edge_folders(place)[0]}/acme"]


def paths(place: Json, links: list[Json]) -> list[str]:
    """Files and folders that always go, what depends on others first; certificates in them stay."""
    found = [link["path"] for link in links]
    if place["rootful"]:
        found += [f"{UNITS}/{name}" for name in UNIT_NAMES]
        found += ["/etc/tmpfiles.d/homeport.conf", edge_rules.SYSCTL_FILE]
        found += ["/run/homeport-witness", "/run/homeport-owner-reader"]
    found += [place["sockets"], place["settings"], place["logs"], place["caddy_data"], *edge_folders(place)]
    # Without root software and state are one folder, whose repositories and data stay.
    if place["software"] == place["state"]:
        found += [f"{place['software']}/{name}" for name in ("current", "releases", "tools")]
    else:
        found.append(place["software"])
    return found


def data(place: Json) -> list[str]:
    """Files and folders that go with remove_data alone, the most telling first."""
    folders = [place["repos"], place["data"], place["caddy_data"], edge_folders(place)[0], place["state"]]
    return folders if place["rootful"] else [*folders, place["settings"]]


def parents(place: Json, links: list[Json]) -> list[str]:
    """Folders that were made for the links, the innermost first; they go where nothing else is in them."""
    found = []
    for link in links:
        folder = posixpath.dirname(link["path"])
        while folder.startswith(f"{place['share']}/"):
            found.append(folder)
            folder = posixpath.dirname(folder)
    return found


def accounts(observed: Json, place: Json) -> Json:
    """The accounts and the group that were made here: services, own, group, each empty where there is none.

    `own` goes with remove_data, or where nothing is left that it owns. An account of a person's is never among them,
    whatever its name.
    """
    if not place["rootful"]:
        return {"services": [], "own": "", "group": ""}
    users = observed["users"]
    services = [name for name in (caddy_rules.CADDY_USER, edge_rules.TRAEFIK_USER) if name in users]
    own = users.get(OWN_USER)
    is_ours = bool(
        own
        and own.get("comment") == OWN_COMMENT
        and own["home"] == f"{place['state']}/home"
        and own["uid"] > 0
    )
    others = [name for name, user in users.items() if user["group"] == GROUP and name not in services]
    group_is_free = not [name for name in others if not (name == OWN_USER and is_ours)]
    return {
        "services": services,
        "own": OWN_USER if is_ours else "",
        "group": GROUP if group_is_free and observed["has_group"] else "",
    }
