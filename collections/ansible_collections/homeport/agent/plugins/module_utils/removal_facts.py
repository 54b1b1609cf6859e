"""What of an installation is there to be taken off, and whose the certificates are that stayed. Reads only."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

from ansible_collections.homeport.agent.plugins.module_utils import removal_rules as rules
from ansible_collections.homeport.agent.plugins.module_utils.components import Component, Host, Json
from ansible_collections.homeport.agent.plugins.module_utils.layout import present
from ansible_collections.homeport.agent.plugins.module_utils.names import UNITS


def removal(host: Host, layout: Json, components: list[Component]) -> Json:
    """What playbooks/remove.yml does on this host, all of it there now.

    paths and data (the latter with remove_data alone), units, accounts (services, own, groups), certificates that
    stay without remove_data, the folders `kept` for them, and whether Homeport is `here` at all.
    """
    given = rules.removals(layout, components)
    # As the components are listed, for a person to read.
    certificates = [path for one in reversed(given) for path in one.certificates if _is_full(path)]
    kept = [*certificates, *(path for one in given for path in one.kept)]
    paths = [entry for path in rules.paths(layout, given) for entry in _without(path, kept)]
    going = set(paths)
    paths += [folder for folder in rules.parents(given) if _goes_with(folder, going)]
    data = [path for path in rules.data(given) if os.path.lexists(path)]
    accounts = rules.accounts(host, layout, components)
    return {
        "here": bool(paths or data or accounts["services"] or accounts["own"]),
        "paths": paths,
        "data": data,
        "owned": [path for one in given for path in one.repositories if path in data],
        "certificates": certificates,
        "kept": [
            folder
            for one in given
            for folder in one.data
            if _is_above(folder, [path for path in one.certificates if path in certificates])
        ],
        "units": [name for name in rules.units(layout, given) if Path(UNITS, name).exists()],
        "accounts": accounts,
    }


def _is_above(folder: str, paths: list[str]) -> bool:
    return any(f"{path}/".startswith(f"{folder}/") for path in paths)


def _is_full(folder: str) -> bool:
    """Whether anything is in it; what this account cannot look into counts as full."""
    try:
        return any(Path(folder).iterdir())
    except PermissionError:
        return True
    except OSError:
        return False


def _without(path: str, kept: list[str]) -> list[str]:
    """A path that is there; or its entries, where one of `kept` is among them; nothing of what is kept itself."""
    if path in kept:
        return []
    inside = [entry for entry in kept if entry.startswith(f"{path}/") and os.path.lexists(entry)]
    if inside:
        return [str(entry) for entry in sorted(Path(path).iterdir()) if str(entry) not in inside]
    return [path] if os.path.lexists(path) else []


def _goes_with(folder: str, going: set[str]) -> bool:
    """Whether a folder would be empty after `going`; it is added there, for its parent's sake.

    One with setgid is a package's, which makes it empty.
    """
    try:
        mode = os.lstat(folder).st_mode
        is_empty = all(str(entry) in going for entry in Path(folder).iterdir())
    except OSError:
        return False
    if not stat.S_ISDIR(mode) or mode & stat.S_ISGID or not is_empty or not _was_ours(folder, going):
        return False
    going.add(folder)
    return True


def _was_ours(folder: str, going: set[str]) -> bool:
    return any(path.startswith(f"{folder}/") for path in going)


def foreign_certificates(layout: Json, components: list[Component]) -> list[Json]:
    """Kept certificates that are not their program's, whose account was made anew: path, owner, group."""
    if not layout["rootful"]:
        return []
    return [
        {"path": path, "owner": component.user, "group": component.group or layout["group"]}
        for component in present(layout, components)
        for path in component.removal(layout).certificates
        if os.path.lexists(path) and not _belongs_to(Path(path), component.user)
    ]


def _belongs_to(path: Path, owner: str) -> bool:
    try:
        return path.stat().st_uid == pwd.getpwnam(owner).pw_uid
    except (OSError, KeyError):
        return False
