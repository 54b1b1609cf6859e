"""What of the machine itself stands in the way: addresses, read-only folders, another installation. No I/O."""

from __future__ import annotations

import ipaddress
import posixpath
from typing import Any

from ansible_collections.homeport.agent.plugins.module_utils import caddy_rules, edge_rules

Json = dict[str, Any]
Problems = list[tuple[str, str]]

ROOTFUL = "/opt/homeport"
UNITS = "/etc/systemd/system"
TMPFILES = "/etc/tmpfiles.d"
MOST_SHOWN = 8  # addresses or folders in one message


def problems(observed: Json, wishes: Json, place: Json) -> Problems:
    """Each with its fix."""
    return [
        *_address_problems(observed, wishes, place),
        *_folder_problems(observed, place),
        *_installation_problems(observed, place),
    ]


def asked_addresses(wishes: Json, place: Json) -> list[tuple[str, str]]:
    """The addresses that something shall listen on: setting, address. Those that are none are left out."""
    asked = [("caddy_bind", str(address)) for address in place["bind"] if place["workstation"]]
    if place["edge"]:
        asked.append(("traefik_bind", str(wishes["edge_bind"])))
        asked.append(("homeportd_edge_listen", str(wishes["edge_listen"]).rpartition(":")[0].strip("[]")))
    return [(setting, address) for setting, address in asked if _is_address(address)]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _address_problems(observed: Json, wishes: Json, place: Json) -> Problems:
    own = observed["addresses"]
    usable = ", ".join(own[:MOST_SHOWN]) + (f" and {len(own) - MOST_SHOWN} more" * (len(own) > MOST_SHOWN))
    found = []
    for setting, address in asked_addresses(wishes, place):
        if address not in observed["refused_addresses"]:
            continue
        if ":" in address and not observed["ipv6"]:
            error = f"{setting} has {address}, but this machine has no IPv6"
        else:
            error = f"{setting} has {address}, which is no address of this machine"
        if setting == "homeportd_edge_listen":
            fix = "set homeportd_edge_listen to a port of 127.0.0.1, such as 127.0.0.1:7070"
        else:
            everywhere = (
                "or leave it empty for all" if setting == "traefik_bind" else "or 0.0.0.0 and :: for all"
            )
            fix = (
                f"set {setting} to what it has: {usable or '127.0.0.1'} ({everywhere}); "
                f"where {address} belongs to a VPN, start that first"
            )
        found.append((error, fix))
    return found


def written_folders(place: Json, directories: list[Json]) -> list[str]:
    """Where a run writes: the layout's own folders, and those of the system that get a file."""
    paths = [entry["path"] for entry in directories]
    if place["manager"] == "systemd":
        paths += [UNITS, TMPFILES]
    if place["rootful"] and place["edge"].get("public"):
        paths.append(posixpath.dirname(edge_rules.SYSCTL_FILE))
    return list(dict.fromkeys(paths))


def _folder_problems(observed: Json, place: Json) -> Problems:
    """One problem for each reason, however many folders it has."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for folder in observed["folders"]:
        if folder["why"]:
            # A read-only file system is one problem; all other reasons belong to a folder.
            at = folder["mount"] if folder["why"] == "read-only" else folder["nearest"]
            shown = reasons.setdefault((folder["why"], at), [])
            if folder["nearest"] not in shown:
                shown.append(folder["nearest"])
    found = [_folder_problem(why, at, paths, observed, place) for (why, at), paths in reasons.items()]
    return found + [
        (
            f"{path} is a mount of its own, which no new account can be written to",
            "start the container without a volume there, or install for one account alone: "
            "bin/site -e homeport_rootless=true",
        )
        for path in observed["account_mounts"]
    ]


def _folder_problem(why: str, at: str, paths: list[str], observed: Json, place: Json) -> tuple[str, str]:
    shown = ", ".join(paths[:MOST_SHOWN]) + f" and {len(paths) - MOST_SHOWN} more" * (len(paths) > MOST_SHOWN)
    if why == "read-only":
        error = f"{shown} cannot be written: {at} is mounted read-only"
        if observed["container"]:
            return error, "start the container without --read-only, and without :ro on its volumes"
        return error, f"mount -o remount,rw {at}, and see in dmesg why it was read-only"
    if why in ("immutable", "append-only"):
        flag = "i" if why == "immutable" else "a"
        return f"{at} cannot be changed: it has the attribute {why}", f"as root: chattr -{flag} {at}"
    if why == "not a folder":
        return f"{at} is not a folder", f"move it away: mv {at} {at}.old"
    return (
        f"{at} cannot be written by {place['root_user']}",
        f"as root: chown {place['root_user']}: {at} && chmod u+rwx {at}",
    )


def other_installations(observed: Json, place: Json) -> list[Json]:
    """Installations of Homeport that this one would clash with: software, user, ports (sorted).

    Another account's own, without root, is in the way only where its ports are wanted; the same account has
    only one, with root or without.
    """
    users = {entry["software"]: entry["user"] for entry in observed["installations"]}
    ports: dict[str, set[int]] = {
        software: set() for software, user in users.items() if user == place["user"]
    }
    for port, listener in _wanted_listeners(observed, place):
        software = listener.get("installation")
        if software:
            users.setdefault(software, listener["user"])
            ports.setdefault(software, set()).add(port)
    return [
        {"software": software, "user": users[software], "ports": sorted(numbers)}
        for software, numbers in ports.items()
        if software != place["software"]
    ]


def without_installations(observed: Json, place: Json) -> Json:
    """The same, less the listeners that `other_installations` names: they are reported once."""
    known = {entry["software"] for entry in other_installations(observed, place)}
    return {
        **observed,
        "listeners": [entry for entry in observed["listeners"] if entry.get("installation") not in known],
        "edge_listeners": {
            port: [entry for entry in entries if entry.get("installation") not in known]
            for port, entries in observed["edge_listeners"].items()
        },
    }


def _wanted_listeners(observed: Json, place: Json) -> list[tuple[int, Json]]:
    found = [
        (place["port"], entry)
        for entry in observed["listeners"]
        if caddy_rules.collide(entry["address"], place["bind"])
    ]
    for port in place["edge"].get("own_ports", []):
        found += [(port, entry) for entry in observed["edge_listeners"].get(str(port), ())]
    return found


def _installation_problems(observed: Json, place: Json) -> Problems:
    found = []
    for other in other_installations(observed, place):
        user, software = other["user"], other["software"]
        rootful = software == ROOTFUL
        options = "" if rootful else " -e homeport_rootless=true"
        remove = (
            f"as {'root' if rootful else user}: .venv/bin/ansible-playbook playbooks/remove.yml{options} "
            "(repositories and data stay)"
        )
        if user == place["user"]:
            if rootful:
                use = "use that one (homeport list), or change it with sudo: bin/site -K"
            else:
                use = "go on with that one: bin/site -e homeport_rootless=true"
        else:
            use = f"sign in as {user} and use that one"
        fix = f"{use}; or remove it, {remove}"
        if other["ports"] and user != place["user"]:
            fix += f"; or take other ports: {_port_settings(other['ports'], place)}"
        taken = f", on port {', '.join(map(str, other['ports']))}" if other["ports"] else ""
        found.append((f"Homeport is installed here already, for {user}, in {software}{taken}", fix))
    return found


def _port_settings(ports: list[int], place: Json) -> str:
    """The settings that these ports come from."""
    edge = place["edge"]
    inner = {int(str(edge[key]).rpartition(":")[2]) for key in ("listen", "metrics") if edge}
    names = []
    if place["workstation"] and place["port"] in ports:
        names.append("caddy_port with homeport_origin")
    if edge and inner & set(ports):
        names.append("homeportd_edge_listen")
    if edge and set(edge["own_ports"]) & set(ports) - inner:
        names.append("homeport_edge_url")
    return ", ".join(names)
