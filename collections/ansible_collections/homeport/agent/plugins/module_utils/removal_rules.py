"""What is taken off a host, and what stays. No I/O.

It does not go by the inventory of today: a host that is no edge any more may still have the files of one. So it takes
what each component may have left, and the host's own part of the layout.
"""

from __future__ import annotations

from ansible_collections.homeport.agent.plugins.module_utils.components import (
    Component,
    Host,
    Json,
    Removal,
)
from ansible_collections.homeport.agent.plugins.module_utils.names import (
    GROUP,
    OWN_COMMENT,
    OWN_HOME,
    OWN_USER,
    UNITS,
)


def removals(layout: Json, components: list[Component]) -> list[Removal]:
    """What each component may have left, those first that build upon others."""
    return [component.removal(layout) for component in reversed(components)]


def units(layout: Json, given: list[Removal]) -> list[str]:
    """The units of systemd that are stopped."""
    return [unit for removal in given for unit in removal.units] if layout["rootful"] else []


def paths(layout: Json, given: list[Removal]) -> list[str]:
    """Files and folders that always go, what depends on others first; certificates in them stay."""
    found = [f"{UNITS}/{name}" for name in units(layout, given)]
    return found + [path for removal in given for path in removal.paths]


def data(given: list[Removal]) -> list[str]:
    """Files and folders that go with remove_data alone."""
    return [path for removal in given for path in removal.data]


def parents(given: list[Removal]) -> list[str]:
    """Folders that were made for links, the innermost first; they go where nothing else is in them."""
    return [path for removal in given for path in removal.parents]


def accounts(host: Host, layout: Json, components: list[Component]) -> Json:
    """The accounts and groups that were made here: services, own, groups, each empty where there is none.

    `own` goes with remove_data, or where nothing is left that it owns. An account of a person's is never among them,
    whatever its name.
    """
    if not layout["rootful"]:
        return {"services": [], "own": "", "groups": []}
    users = host.observed["users"]
    services = [component.user for component in components if component.user in users]
    own = users.get(OWN_USER)
    is_ours = bool(own and own.get("comment") == OWN_COMMENT and own["home"] == OWN_HOME and own["uid"] > 0)
    others = [name for name, user in users.items() if user["group"] == GROUP and name not in services]
    group_is_free = not [name for name in others if not (name == OWN_USER and is_ours)]
    return {
        "services": services,
        "own": OWN_USER if is_ours else "",
        "groups": [
            *(component.group for component in components if component.group in host.observed["groups"]),
            *([GROUP] if group_is_free and GROUP in host.observed["groups"] else []),
        ],
    }
