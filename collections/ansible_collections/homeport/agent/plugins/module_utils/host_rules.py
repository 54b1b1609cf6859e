"""What of the machine itself stands in the way: ports, addresses, folders, another installation. No I/O."""

from __future__ import annotations

from ansible_collections.homeport.agent.plugins.module_utils.components import (
    Component,
    Host,
    Json,
    ListenAddress,
    Problem,
    Socket,
)
from ansible_collections.homeport.agent.plugins.module_utils.names import SOFTWARE
from ansible_collections.homeport.agent.plugins.module_utils.networks import is_address

MOST_SHOWN = 8  # addresses or folders in one message


def problems(host: Host, layout: Json, components: list[Component]) -> list[Problem]:
    """`components` are those that the host has."""
    others = other_installations(host, layout, components)
    known = {entry["software"] for entry in others}
    return [
        *_address_problems(host, layout, components),
        *_folder_problems(host.observed, layout),
        *_installation_problems(others, layout, components),
        *_port_problems(host, layout, components, known),
    ]


# -- ports


def _wanted(host: Host, layout: Json, components: list[Component]) -> list[tuple[Component, Socket, Json]]:
    """The listeners that are at an address and port that a component wants, its own among them."""
    return [
        (component, socket, listener)
        for component in components
        for socket in component.sockets(layout)
        for listener in host.observed["listeners"].get(str(socket.port), ())
        if collide(listener["address"], socket.addresses)
    ]


def collide(address: str, wanted: tuple[str, ...]) -> bool:
    """Whether a listener at `address` is in the way of one at `wanted`, of the same port; no address is any."""
    anywhere = {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound
    return not wanted or address in anywhere or bool(anywhere & set(wanted)) or address in wanted


def _port_problems(host: Host, layout: Json, components: list[Component], known: set[str]) -> list[Problem]:
    """One problem for each process; those of the installations in `known` are reported once, as such."""
    taken: dict[tuple[int, str, str], list[str]] = {}
    for component, socket, listener in _wanted(host, layout, components):
        if listener.get("installation") in known or component.owns(listener, host, layout):
            continue
        process = listener["command"] or f"a process of user {listener['user']}"
        pid = f" (pid {listener['pid']})" if listener["pid"] else ""
        addresses = taken.setdefault((socket.port, process + pid, socket.setting), [])
        if listener["address"] not in addresses:
            addresses.append(listener["address"])
    return [
        (
            f"port {port} at {' and '.join(addresses)} is taken by {process}",
            f"stop it, or set {setting} to a free one",
        )
        for (port, process, setting), addresses in taken.items()
    ]


# -- addresses


def asked_addresses(host: Host, layout: Json, components: list[Component]) -> list[ListenAddress]:
    """The addresses that something shall listen on. Texts that are none are left out."""
    asked = [entry for component in components for entry in component.addresses(host, layout)]
    return [entry for entry in asked if is_address(entry.address)]


def _address_problems(host: Host, layout: Json, components: list[Component]) -> list[Problem]:
    observed = host.observed
    own = observed["addresses"]
    usable = ", ".join(own[:MOST_SHOWN]) + (f" and {len(own) - MOST_SHOWN} more" * (len(own) > MOST_SHOWN))
    found = []
    for setting, address, everywhere in asked_addresses(host, layout, components):
        if address not in observed["refused_addresses"]:
            continue
        if ":" in address and not observed["ipv6"]:
            error = f"{setting} has {address}, but this machine has no IPv6"
        else:
            error = f"{setting} has {address}, which is no address of this machine"
        if everywhere:
            fix = (
                f"set {setting} to what it has: {usable or '127.0.0.1'} (or {everywhere}); "
                f"where {address} belongs to a VPN, start that first"
            )
        else:
            fix = f"set {setting} to a port of 127.0.0.1, such as 127.0.0.1:7070"
        found.append((error, fix))
    return found


# -- folders


def _folder_problems(observed: Json, layout: Json) -> list[Problem]:
    """One problem for each reason, however many folders it has."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for folder in observed["folders"]:
        if folder["why"]:
            # A read-only file system is one problem; all other reasons belong to a folder.
            at = folder["mount"] if folder["why"] == "read-only" else folder["nearest"]
            shown = reasons.setdefault((folder["why"], at), [])
            if folder["nearest"] not in shown:
                shown.append(folder["nearest"])
    found = [_folder_problem(why, at, paths, observed, layout) for (why, at), paths in reasons.items()]
    return found + [
        (
            f"{path} is a mount of its own, which no new account can be written to",
            "start the container without a volume there, or install for one account alone: "
            "bin/site -e homeport_rootless=true",
        )
        for path in observed["account_mounts"]
    ]


def _folder_problem(why: str, at: str, paths: list[str], observed: Json, layout: Json) -> Problem:
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
        f"{at} cannot be written by {layout['root_user']}",
        f"as root: chown {layout['root_user']}: {at} && chmod u+rwx {at}",
    )


# -- other installations


def other_installations(host: Host, layout: Json, components: list[Component]) -> list[Json]:
    """Installations of Homeport that this one would clash with: software, user, ports (sorted).

    Another account's own, without root, is in the way only where its ports are wanted; the same account has
    only one, with root or without.
    """
    users = {entry["software"]: entry["user"] for entry in host.observed["installations"]}
    ports: dict[str, set[int]] = {
        software: set() for software, user in users.items() if user == layout["agent"]["user"]
    }
    for _unused, socket, listener in _wanted(host, layout, components):
        software = listener.get("installation")
        if software:
            users.setdefault(software, listener["user"])
            ports.setdefault(software, set()).add(socket.port)
    return [
        {"software": software, "user": users[software], "ports": sorted(numbers)}
        for software, numbers in ports.items()
        if software != layout["software"]
    ]


def _installation_problems(others: list[Json], layout: Json, components: list[Component]) -> list[Problem]:
    found = []
    for other in others:
        user, software = other["user"], other["software"]
        rootful = software == SOFTWARE
        options = "" if rootful else " -e homeport_rootless=true"
        remove = (
            f"as {'root' if rootful else user}: .venv/bin/ansible-playbook playbooks/remove.yml{options} "
            "(repositories and data stay)"
        )
        if user == layout["agent"]["user"]:
            if rootful:
                use = "use that one (homeport list), or change it with sudo: bin/site -K"
            else:
                use = "go on with that one: bin/site -e homeport_rootless=true"
        else:
            use = f"sign in as {user} and use that one"
        fix = f"{use}; or remove it, {remove}"
        if other["ports"] and user != layout["agent"]["user"]:
            fix += f"; or take other ports: {_port_settings(other['ports'], layout, components)}"
        taken = f", on port {', '.join(map(str, other['ports']))}" if other["ports"] else ""
        found.append((f"Homeport is installed here already, for {user}, in {software}{taken}", fix))
    return found


def _port_settings(ports: list[int], layout: Json, components: list[Component]) -> str:
    """The settings that these ports come from."""
    sockets = [socket for component in components for socket in component.sockets(layout)]
    return ", ".join(dict.fromkeys(socket.setting for socket in sockets if socket.port in ports))
