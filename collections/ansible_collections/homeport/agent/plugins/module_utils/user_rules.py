"""Which user the agent serves, why that one, and what has to be handed over. No I/O."""

from __future__ import annotations

import re

from ansible_collections.homeport.agent.plugins.module_utils.components import Folder, Host, Json, Problem
from ansible_collections.homeport.agent.plugins.module_utils.names import OWN_USER, STATE

MARKER = f"{STATE}/handover.json"  # there while a handover is under way, so that any later run finishes it
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


def can_be_root(host: Host) -> bool:
    """Whether Ansible is root on this host, or becomes it without a question."""
    observed = host.observed
    if observed["uid"] == 0 or observed["sudo"] == "free":
        return True
    return bool(observed["sudo"] == "password" and host.become_password)


def is_rootful(host: Host) -> bool:
    """Whether Homeport is installed with root.

    Without it only where that was asked for, or where an installation without it is here and root can't be had.
    """
    if host.settings["homeport_rootless"]:
        return False
    return can_be_root(host) or not host.observed["rootless_here"]


def choose(host: Host, *, rootful: bool) -> tuple[str, str]:
    """The agent's user, never root, and the key in REASONS.

    In this order: the inventory's word, an unfinished handover's, the owner of existing data (so that a later
    run by somebody else changes nothing), the account that used sudo, our own user. An account that merely
    exists, as in the images of clouds, is never chosen.
    """
    observed, named = host.observed, str(host.settings["homeport_user"])
    if not rootful:
        return str(observed["user"]), "rootless"
    if named:
        return named, "setting"
    users, pending = observed["users"], observed["handover"]
    for owner in (pending and pending["to"], observed["data_owner"]):
        # A name that has no account any more decides nothing: its data is handed over.
        if owner in users and users[owner]["uid"] != 0:
            return str(owner), _known_reason(host, owner)
    if "workstation" not in host.groups:
        return OWN_USER, "edge"
    for candidate in (observed["sudo_user"], observed["user"]):
        if candidate in users and users[candidate]["uid"] != 0:
            return str(candidate), "sudo"
    return OWN_USER, "root"


def _known_reason(host: Host, user: str) -> str:
    """The reason in agent.toml, so that a second run changes nothing; else the likely one."""
    recorded, is_workstation = host.observed["recorded"], "workstation" in host.groups
    reason = str(recorded["reason"])
    if recorded["user"] == user and reason in REASONS and not (reason == "edge" and is_workstation):
        return reason
    if user != OWN_USER:
        return "data"
    return "root" if is_workstation else "edge"


def handover(host: Host, user: str, folders: list[Folder]) -> Json:
    """What belongs to earlier users and becomes the user's: from, to, folders, marker; empty where nothing does."""
    pending = host.observed["handover"] or {"from": [], "to": None}
    owners = {host.observed["data_owner"], pending["to"], *pending["from"]} - {None, "root", user}
    if not owners:
        return {}
    return {
        "from": sorted(owners),
        "to": user,
        "folders": [{"path": folder.path, "group": folder.group} for folder in folders],
        "marker": MARKER,
    }


def problems(host: Host, layout: Json) -> list[Problem]:
    """What is wrong with the agent's user."""
    observed, named = host.observed, host.settings["homeport_user"]
    user = layout["agent"]["user"]
    known = observed["users"].get(user)
    if user == "root" or (known and known["uid"] == 0):
        if layout["rootful"]:
            fix = "name another user in homeport_user, or leave it out"
        else:
            fix = "leave homeport_rootless out, or run this as the user whose dev servers these are"
        return [("the agent would run as root, which it never does", fix)]
    if not USER_NAME.fullmatch(user):
        error = f"homeport_user is {user!r}, which is no name of a user"
        return [(error, "use lower case letters, digits, - and _")]
    if named and not layout["rootful"] and named != observed["user"]:
        error = f"homeport_user is {named}, but without root only {observed['user']} can be served"
        return [(error, f"run it as {named}, or leave homeport_user out")]
    if named and not known and user != OWN_USER:
        error = f"homeport_user is {user}, who has no account here"
        return [(error, f"adduser {user}, or leave homeport_user out")]
    return []


def root_problems(host: Host, layout: Json) -> list[Problem]:
    """Why root, which this installation needs, can't be had. Nobody is made rootless by silence."""
    if not layout["rootful"] or can_be_root(host):
        return []
    observed, user = host.observed, host.observed["user"]
    here = f"{host.command} -e homeport_rootless=true"
    there = f"homeport_rootless: true for {host.name} in the inventory"
    alone = f"for an installation without root, {user}'s alone: {here if host.name == 'localhost' else there}"
    if observed["sudo"] == "password":
        error = f"sudo on {host.name} asks for the password of {user}, and none was given"
        return [(error, f"{host.command} -K, which asks for it; or {alone}")]
    if observed["sudo"] == "refused":
        error = f"{user} has no right to use sudo on {host.name}"
        return [(error, f"have root give it (adduser {user} sudo); or {alone}")]
    error = f"{user} is not root on {host.name}, and there is no sudo"
    return [(error, f"log in as root (ansible_user: root), or install sudo there; or {alone}")]
