"""Which user the agent serves, why that one, and what has to be handed over. No I/O, as rules."""

from __future__ import annotations

import re
from typing import Any

Json = dict[str, Any]

STATE = "/srv/homeport"  # of an installation with root
MARKER = f"{STATE}/handover.json"  # there while a handover is under way, so that any later run finishes it
OWN_USER = "homeport"  # made where root itself installs, and on an edge that is no workstation
USER_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}")

# Why the agent serves its user; homeportd/system/served_user.py has the same words, and a test compares the two.
REASONS = {
    "setting": "homeport_user named this account",
    "sudo": "this account installed Homeport with sudo",
    "root": "root installed Homeport, and the agent itself never runs as root",
    "edge": "the agent of an edge alone has an account of its own",
    "data": "the data that was here already belongs to this account",
    "rootless": "Homeport was installed without root, for this account alone",
}


def can_be_root(observed: Json, wishes: Json) -> bool:
    """Whether Ansible is root on this host, or becomes it without a question."""
    if observed["uid"] == 0 or observed["sudo"] == "free":
        return True
    return bool(observed["sudo"] == "password" and wishes["become_password"])


def is_rootful(observed: Json, wishes: Json) -> bool:
    """Whether Homeport is installed with root.

    Without it only where that was asked for, or where an installation without it is here and root can't be had.
    """
    return not wishes["rootless"] and (can_be_root(observed, wishes) or not observed["rootless_here"])


def choose(observed: Json, wishes: Json, rootful: bool) -> tuple[str, str]:
    """The agent's user, never root, and the key in REASONS.

    In this order: the inventory's word, an unfinished handover's, the owner of existing data (so that a later
    run by somebody else changes nothing), the account that used sudo, our own user. An account that merely
    exists, as in the images of clouds, is never chosen.
    """
    if not rootful:
        return str(observed["user"]), "rootless"
    if wishes["user"]:
        return str(wishes["user"]), "setting"
    users, pending = observed["users"], observed["handover"]
    for owner in (pending and pending["to"], observed["data_owner"]):
        # A name that has no account any more decides nothing: its data is handed over.
        if owner in users and users[owner]["uid"] != 0:
            return str(owner), _known_reason(observed, wishes, owner)
    if not wishes["workstation"]:
        return OWN_USER, "edge"
    for candidate in (observed["sudo_user"], observed["user"]):
        if candidate in users and users[candidate]["uid"] != 0:
            return str(candidate), "sudo"
    return OWN_USER, "root"


def _known_reason(observed: Json, wishes: Json, user: str) -> str:
    """The reason in agent.toml, so that a second run changes nothing; else the likely one."""
    recorded = observed["recorded"]
    reason = str(recorded["reason"])
    if recorded["user"] == user and reason in REASONS and not (reason == "edge" and wishes["workstation"]):
        return reason
    if user != OWN_USER:
        return "data"
    return "root" if wishes["workstation"] else "edge"


def handover(observed: Json, user: str, folders: list[Json]) -> Json:
    """What belongs to earlier users and becomes the user's: from, to, folders, marker; empty where nothing does."""
    pending = observed["handover"] or {"from": [], "to": None}
    owners = {observed["data_owner"], pending["to"], *pending["from"]} - {None, "root", user}
    if not owners:
        return {}
    return {
        "from": sorted(owners),
        "to": user,
        "folders": [{"path": row["path"], "group": row["group"]} for row in folders],
        "marker": MARKER,
    }


def problems(observed: Json, wishes: Json, place: Json) -> list[tuple[str, str]]:
    """What is wrong with the agent's user, each with its fix."""
    user = place["user"]
    known = observed["users"].get(user)
    if user == "root" or (known and known["uid"] == 0):
        if place["rootful"]:
            fix = "name another user in homeport_user, or leave it out"
        else:
            fix = "leave homeport_rootless out, or run this as the user whose dev servers these are"
        return [("the agent would run as root, which it never does", fix)]
    if not USER_NAME.fullmatch(user):
        return [
            (
                f"homeport_user is {user!r}, which is no name of a user",
                "use lower case letters, digits, - and _",
            )
        ]
    if wishes["user"] and not place["rootful"] and wishes["user"] != observed["user"]:
        return [
            (
                f"homeport_user is {wishes['user']}, but without root only {observed['user']} can be served",
                f"run it as {wishes['user']}, or leave homeport_user out",
            )
        ]
    if wishes["user"] and not known and user != OWN_USER:
        return [
            (
                f"homeport_user is {user}, who has no account here",
                f"adduser {user}, or leave homeport_user out",
            )
        ]
    return []


def root_problems(observed: Json, wishes: Json, place: Json) -> list[tuple[str, str]]:
    """Why root, which this installation needs, can't be had; each with its fix. Nobody is made rootless by silence."""
    if not place["rootful"] or can_be_root(observed, wishes):
        return []
    user, host = observed["user"], wishes["host"]
    here = f"{wishes['command']} -e homeport_rootless=true"
    there = f"homeport_rootless: true for {host} in the inventory"
    alone = f"for an installation without root, {user}'s alone: {here if host == 'localhost' else there}"
    if observed["sudo"] == "password":
        error = f"sudo on {host} asks for the password of {user}, and none was given"
        return [(error, f"{wishes['command']} -K, which asks for it; or {alone}")]
    if observed["sudo"] == "refused":
        error = f"{user} has no right to use sudo on {host}"
        return [(error, f"have root give it (adduser {user} sudo); or {alone}")]
    error = f"{user} is not root on {host}, and there is no sudo"
    return [(error, f"log in as root (ansible_user: root), or install sudo there; or {alone}")]
