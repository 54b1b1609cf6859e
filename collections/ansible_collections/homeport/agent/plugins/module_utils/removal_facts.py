"""What of an installation is there to be taken off, and whose the certificates are that stayed. Reads only."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path
from typing import Any

from ansible_collections.homeport.agent.plugins.module_utils import removal_rules as rules
from ansible_collections.homeport.agent.plugins.module_utils.rules import links as links_of

Json = dict[str, Any]


def removal(observed: Json, place: Json) -> Json:
    """What playbooks/remove.yml does on this host, all of it there now.

    paths and data (the latter with remove_data alone), units, accounts (services, own, group), certificates that
    stay without remove_data, the folders `kept` for them, and whether Homeport is `here` at all.
    """
    links = links_of(place)
    certificates = [path for path in rules.certificates(place) if _is_full(path)]
    kept = [*certificates, *([f"{place['settings']}/{rules.ACCOUNT}"] * (not place["rootful"]))]
    paths = [entry for path in rules.paths(place, links) for entry in _without(path, kept)]
    going = set(paths)
    paths += [folder for folder in rules.parents(place, links) if _goes_with(folder, going)]
    data = [path for path in rules.data(place) if os.path.lexists(path)]
    accounts = rules.accounts(observed, place)
    return {
        "here": bool(paths or data or accounts["services"] or accounts["own"]),
        "paths": paths,
        "data": data,
        "owned": [path for path in (place["repos"], place["data"]) if path in data],
        "certificates": certificates,
        "kept": [
            path
            for path in (place["caddy_data"], rules.edge_folders(place)[0])
            if _is_above(path, certificates)
        ],
        "units": [name for name in rules.UNIT_NAMES if Path(rules.UNITS, name).exists()]
        if place["rootful"]
        else [],
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


def foreign_certificates(place: Json) -> list[Json]:
    """Kept certificates that are not their program's, whose account was made anew: path, owner, group."""
    if not place["rootful"]:
        return []
    owners = (place["caddy_user"], place["edge"].get("user", ""))
    return [
        {"path": path, "owner": owner, "group": place["group"]}
        for path, owner in zip(rules.certificates(place), owners, strict=True)
        if owner and os.path.lexists(path) and not _belongs_to(Path(path), owner)
    ]


def _belongs_to(path: Path, owner: str) -> bool:
    try:
        return path.stat().st_uid == pwd.getpwnam(owner).pw_uid
    except (OSError, KeyError):
        return False
