"""What an installation shall look like, and what stands in its way. No I/O, so it is tested without a host.

Everything here runs on the target, so it keeps to the standard library. `Observed` is what
`homeport_preflight` saw, `Wishes` is what the inventory says; both are plain dictionaries of JSON.
"""

from __future__ import annotations

import ipaddress
import posixpath
import re
from typing import Any

Json = dict[str, Any]

GROUP = "homeport"
CADDY_USER = "homeport-caddy"
OWN_USER = "homeport"  # made where the machine has no person of its own

WITNESS = "/run/homeport-witness/witness.sock"  # in a folder of root's, made by the process itself

MIN_PYTHON = (3, 11)
SUPPORTED = {"debian": (12,), "ubuntu": (24, 4)}
SUPPORTED_TEXT = "Debian 12 or newer, or Ubuntu 24.04 or newer"

MIB = 1024 * 1024
NEED_SOFTWARE = 512 * MIB  # two releases of the agent and Caddy side by side, while one replaces the other
NEED_STATE = 128 * MIB
MAX_SOCKET_PATH = 107  # bytes, sockaddr_un without its closing zero
UNITS = "/etc/systemd/system"
LONGEST_SOCKET = "/gateway.sock"

# The same pattern as homeportd/settings.py, which checks it again when the file is written.
ORIGIN = re.compile(
    r"(?P<scheme>https?)://\{port\}(?P<joint>[.-])(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)"
    r"(?::(?P<number>[0-9]{1,5}))?"
)
USER_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")


def choose_user(observed: Json, wishes: Json) -> str:
    """The agent's user, never root.

    In this order: the inventory's word, the owner of existing data (so that a later run by somebody
    else changes nothing), whoever called sudo, whoever runs this, the machine's only person, our own user.
    """
    if wishes["user"]:
        return str(wishes["user"])
    for candidate in (observed["data_owner"], observed["sudo_user"], observed["user"]):
        if candidate and candidate != "root":
            return str(candidate)
    people = observed["people"]
    return str(people[0]) if len(people) == 1 else OWN_USER


def layout(observed: Json, wishes: Json) -> Json:
    """Where everything goes and who runs it, for this host."""
    can_be_root = (
        observed["uid"] == 0
        or observed["sudo"] == "free"
        or (observed["sudo"] != "none" and wishes["become_password"])
    )
    rootful = bool(can_be_root and not wishes["rootless"])
    user = choose_user(observed, wishes) if rootful else observed["user"]
    if rootful:
        places = {
            "software": "/opt/homeport",
            "state": "/srv/homeport",
            "settings": "/etc/homeport",
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
    match = ORIGIN.fullmatch(str(wishes["origin"]))
    return {
        **places,
        "rootful": rootful,
        "elevate": rootful and observed["uid"] != 0,
        "manager": "systemd" if rootful and observed["systemd"] else "supervisor",
        "user": user,
        "user_home": observed["users"].get(user, {}).get("home", f"{places['state']}/home"),
        "user_group": observed["users"].get(user, {}).get("group", user),
        "group": GROUP if rootful else observed["group"],
        "caddy_user": CADDY_USER if rootful else observed["user"],
        "root_user": "root" if rootful else observed["user"],
        "root_group": "root" if rootful else observed["group"],
        "repos": f"{places['state']}/repos",
        "data": f"{places['state']}/data",
        "caddy_data": f"{places['state']}/caddy",
        # Root is the only person here: its dev servers are shown to the agent by a process of root's.
        "witness": WITNESS if rootful and user == OWN_USER else "",
        "origin": wishes["origin"],
        "dashboard": str(wishes["origin"]).replace("{port}" + match["joint"], "") if match else "",
        "port_ranges": wishes["port_ranges"],
        "port": wishes["port"],
        "trusted_proxies": wishes["trusted_proxies"],
        "bind": [address for address in wishes["bind"] if observed["ipv6"] or ":" not in str(address)],
        "crontab": observed["crontab"] and not rootful,
        "nft": observed["nft"],
        "ssh_port": observed["ssh_port"],
    }


def directories(place: Json) -> list[Json]:
    """The folders of an installation, parents first: path, owner, group, mode ("" is any)."""
    root, root_group = place["root_user"], place["root_group"]
    user, user_group = place["user"], place["user_group"]
    rows = [
        (place["software"], root, root_group, "0755"),
        (f"{place['software']}/releases", root, root_group, "0755"),
        (f"{place['software']}/tools", root, root_group, "0755"),
        (place["settings"], root, root_group, "0755"),
        (place["state"], root, root_group, "0755"),
        (place["repos"], user, user_group, "0755"),
        (place["data"], user, user_group, "0700"),
        (place["caddy_data"], place["caddy_user"], place["group"], "0700"),
        # setgid: the agent's sockets take the group that lets Caddy in, and no one else.
        (place["sockets"], user, place["group"], "2750"),
    ]
    if place["manager"] == "supervisor":
        rows.append((f"{place['settings']}/programs", root, root_group, "0755"))
        rows.append((place["logs"], root, root_group, "0755"))
    rows += [(posixpath.dirname(link["path"]), "", "", "") for link in links(place)]
    if place["user"] == OWN_USER and place["rootful"]:
        rows.append((f"{place['state']}/home", OWN_USER, user_group, ""))
    unique = {row[0]: row for row in rows}
    return [
        {"path": path, "owner": owner, "group": group, "mode": mode}
        for path, owner, group, mode in unique.values()
    ]


def links(place: Json) -> list[Json]:
    """The command on the PATH and its completion for three shells: path, target."""
    current, share = f"{place['software']}/current", place["share"]
    completion = f"{current}/share/homeport"
    return [
        {"path": f"{place['bin']}/homeport", "target": f"{current}/bin/homeport"},
        {"path": f"{share}/bash-completion/completions/homeport", "target": f"{completion}/homeport.bash"},
        {"path": f"{share}/zsh/site-functions/_homeport", "target": f"{completion}/_homeport"},
        {"path": f"{share}/fish/vendor_completions.d/homeport.fish", "target": f"{completion}/homeport.fish"},
    ]


def units(place: Json) -> list[str]:
    """The systemd units that an installation may have."""
    names = (
        "homeport-caddy.service",
        "homeportd.service",
        "homeport-witness.service",
        "homeport-firewall.service",
    )
    return list(names) if place["manager"] == "systemd" else []


def removable(place: Json) -> list[str]:
    """Every file and folder of an installation but its repositories and data, what depends on others first."""
    paths = [link["path"] for link in links(place)]
    paths += [f"{UNITS}/{name}" for name in units(place)]
    if place["manager"] == "systemd":
        paths.append("/etc/tmpfiles.d/homeport.conf")
    paths += [place["sockets"], place["settings"], place["caddy_data"]]
    if place["witness"]:
        paths.append(posixpath.dirname(place["witness"]))
    if place["manager"] == "supervisor":
        paths.append(place["logs"])
    # Without root software and state are one folder, whose repositories and data stay.
    paths += [f"{place['software']}/{name}" for name in ("current", "releases", "tools")]
    if place["rootful"]:
        paths.append(place["software"])
    return paths


def problems(observed: Json, wishes: Json, place: Json) -> list[Json]:
    """Everything that would make the run fail, each as {"error", "fix"}; empty when it may start."""
    found = [
        *_variable_problems(wishes, place),
        *_user_problems(observed, wishes, place),
        *_machine_problems(observed, wishes, place),
        *_port_problems(observed, wishes, place),
    ]
    return [{"error": error, "fix": fix} for error, fix in found]


def _variable_problems(wishes: Json, place: Json) -> list[tuple[str, str]]:
    found = []
    match = ORIGIN.fullmatch(str(wishes["origin"]))
    if not match:
        found.append(
            (
                f"homeport_origin is {wishes['origin']!r}, which is no pattern of an origin",
                "write it as http://{port}.localhost:8080 or https://{port}-dev.example.com, in lower case",
            )
        )
    elif match["number"] and not 1 <= int(match["number"]) <= 65535:
        found.append((f"homeport_origin names port {match['number']}", "a port is between 1 and 65535"))
    elif match["host"].endswith("localhost") and int(match["number"] or 80) != wishes["port"]:
        found.append(
            (
                f"homeport_origin names port {match['number'] or 80}, but Caddy listens on {wishes['port']}",
                "make homeport_origin and caddy_port agree",
            )
        )
    ranges = wishes["port_ranges"]
    if not isinstance(ranges, list) or not ranges:
        found.append(("homeport_port_ranges is not a list of ranges", 'write it as ["3000-9999"]'))
    else:
        found += [
            (f"homeport_port_ranges has {text!r}", "a range is 3000-9999 or 3000, rising, within 1 to 65535")
            for text in ranges
            if not _is_range(str(text))
        ]
    if not isinstance(wishes["port"], int) or not 1 <= wishes["port"] <= 65535:
        found.append((f"caddy_port is {wishes['port']!r}", "a port is a number between 1 and 65535"))
    elif wishes["port"] < 1024 and not place["rootful"]:
        found.append(
            (f"caddy_port is {wishes['port']}, which needs root", "choose one above 1023, or run as root")
        )
    if not wishes["bind"]:
        found.append(("caddy_bind is empty", 'write it as ["127.0.0.1", "::1"]'))
    for name, values, parse in (
        ("caddy_bind", wishes["bind"], ipaddress.ip_address),
        ("caddy_trusted_proxies", wishes["trusted_proxies"], ipaddress.ip_network),
    ):
        for value in values:
            try:
                parse(str(value))
            except ValueError as error:
                found.append(
                    (
                        f"{name} has {value!r}: {error}",
                        "write addresses such as 127.0.0.1, networks such as 10.0.0.0/8",
                    )
                )
    if wishes["firewall"] and place["manager"] != "systemd":
        found.append(("firewall_enabled needs root and systemd", "set firewall_enabled: false for this host"))
    return found


def _is_range(text: str) -> bool:
    match = RANGE.fullmatch(text)
    return bool(match) and 1 <= int(match[1]) <= int(match[2] or match[1]) <= 65535


def _user_problems(observed: Json, wishes: Json, place: Json) -> list[tuple[str, str]]:
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
    owner = observed["data_owner"]
    if place["rootful"] and owner and owner != user:
        return [
            (
                f"{place['data']} belongs to {owner}, not to {user}",
                f"set homeport_user: {owner}, or chown -R {user}: {place['data']} {place['repos']}",
            )
        ]
    return []


def _machine_problems(observed: Json, wishes: Json, place: Json) -> list[tuple[str, str]]:
    found = []
    system = observed["os"]
    version = tuple(int(part) for part in re.findall(r"[0-9]+", system["version"]))
    least = SUPPORTED.get(system["id"])
    # Debian testing and unstable have no version number.
    if not wishes["any_os"] and (least is None or (version and version < least)):
        found.append(
            (
                f"{system['name']} is not supported",
                f"use {SUPPORTED_TEXT}, or set preflight_any_os: true to try all the same",
            )
        )
    python = observed["python"]
    if python["version"] is None:
        found.append(
            (f"there is no {python['path']}", "apt-get install python3, or set release_python to a Python")
        )
    elif tuple(python["version"]) < MIN_PYTHON:
        found.append(
            (
                f"{python['path']} is Python {'.'.join(map(str, python['version']))}",
                "Homeport needs 3.11 or newer: set release_python to one",
            )
        )
    needed: dict[str, Json] = {}
    for key, size in (("software", NEED_SOFTWARE), ("state", NEED_STATE)):
        disk = observed["disks"][place[key]]
        if not disk["writable"]:
            found.append(
                (
                    f"{place[key]} cannot be written: {disk['nearest']} is {disk['why']}",
                    f"make {disk['nearest']} a folder that {place['root_user']} may write",
                )
            )
        entry = needed.setdefault(
            str(disk["device"]), {"need": 0, "free": disk["free"], "at": disk["nearest"]}
        )
        entry["need"] += size
    found += [
        (
            f"{entry['free'] // MIB} MiB are free at {entry['at']}, and {entry['need'] // MIB} are needed",
            "make room there: old packages (apt-get clean), logs (journalctl --vacuum-size=100M)",
        )
        for entry in needed.values()
        if entry["free"] < entry["need"]
    ]
    if len((place["sockets"] + LONGEST_SOCKET).encode()) > MAX_SOCKET_PATH:
        found.append(
            (
                f"{place['sockets']} is too long for the name of a unix socket",
                "use a user with a shorter home, or run as root",
            )
        )
    return found


def _port_problems(observed: Json, wishes: Json, place: Json) -> list[tuple[str, str]]:
    taken: dict[str, list[str]] = {}
    for listener in observed["listeners"]:
        if _collide(listener["address"], place["bind"]) and not _is_ours(listener, observed, place):
            who = listener["command"] or f"a process of user {listener['user']}"
            pid = f" (pid {listener['pid']})" if listener["pid"] else ""
            taken.setdefault(who + pid, []).append(listener["address"])
    return [
        (
            f"port {wishes['port']} at {' and '.join(addresses)} is taken by {who}",
            "stop it, or set caddy_port (and the port in homeport_origin) to a free one",
        )
        for who, addresses in taken.items()
    ]


def _collide(address: str, bind: list[str]) -> bool:
    """Whether a listener at `address` keeps us from listening at one of `bind`, all of the same port."""
    anywhere = {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound
    return address in anywhere or bool(anywhere & set(bind)) or address in bind


def _is_ours(listener: Json, observed: Json, place: Json) -> bool:
    caddy = observed["users"].get(CADDY_USER)
    if caddy and listener["uid"] == caddy["uid"]:
        return True
    return bool(listener["exe"]) and str(listener["exe"]).startswith(f"{place['software']}/tools/caddy/")
