#!/usr/bin/python
# SPDX-License-Identifier: MIT
# (see LICENSE; compatible with the GNU General Public License v3.0)
"""Look at a host once and decide, before anything changes, what an installation is and what prevents it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Decide where Homeport goes on a host, and what stands in its way
description:
  - Reads the host without changing it, so it runs in check mode as well.
  - Sets the fact C(homeport) with the layout, and with what of it is missing (C(homeport.todo)), so that
    the tasks of a finished host have nothing to do.
  - The action plugin of this name fills in all options; see there which of its own it takes.
options:
  components:
    description: The text of each file of C(module_utils/components), by its name.
    type: dict
    required: true
  settings:
    description: The value of each variable of the roles, by its name.
    type: dict
    required: true
  groups:
    description: The groups of the inventory that the host is in.
    type: list
    elements: str
    required: true
  name:
    description: The name of the host in the inventory.
    type: str
    required: true
  command:
    description: The command that started this run.
    type: str
    required: true
  become_given:
    description: Whether Ansible was given a password for sudo.
    type: bool
    default: false
author: Homeport (@homeport)
"""

EXAMPLES = r"""
- name: Look at the host
  homeport.agent.preflight:
    roles: "{{ role_path }}/.."
    exclusive: true
"""

RETURN = r"""
problems:
  description: What prevents the run, each with its fix.
  returned: always
  type: list
  elements: dict
fatal:
  description: Those of them for which even a look, or a removal, would be at the wrong place.
  returned: always
  type: list
  elements: dict
"""

import glob
import os
import platform
import pwd
import re
import shutil
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homeport.agent.plugins.module_utils import host_facts
from ansible_collections.homeport.agent.plugins.module_utils.accounts import (
    DATA,
    NOTHING,
    group_of,
    name_of,
    observe_accounts,
    run,
)
from ansible_collections.homeport.agent.plugins.module_utils.components import (
    Component,
    Folder,
    Host,
    compiled,
)
from ansible_collections.homeport.agent.plugins.module_utils.host_rules import asked_addresses
from ansible_collections.homeport.agent.plugins.module_utils.layout import (
    files,
    folders,
    layout,
    links,
    present,
    problems,
    proxies,
    retired,
    service_users,
    shared_groups,
    written_folders,
)
from ansible_collections.homeport.agent.plugins.module_utils.release_facts import releases
from ansible_collections.homeport.agent.plugins.module_utils.removal_facts import (
    foreign_certificates,
    removal,
)
from ansible_collections.homeport.agent.plugins.module_utils.user_rules import root_problems

Json = dict[str, Any]

LISTEN = "0A"  # the state in /proc/net/tcp
CRON_MARK = "#Ansible: homeport\n@reboot "


def read_os_release() -> dict[str, str]:
    values = {}
    for name in ("/etc/os-release", "/usr/lib/os-release"):
        if Path(name).exists():
            lines = Path(name).read_text(encoding="utf-8").splitlines()
            values = dict(line.split("=", 1) for line in lines if "=" in line)
            break
    plain = {key: value.strip("\"'") for key, value in values.items()}
    identity = plain.get("ID", "unknown")
    return {
        "id": identity,
        "version": plain.get("VERSION_ID", ""),
        "name": plain.get("PRETTY_NAME", identity),
    }


def python_version(path: str) -> list[int] | None:
    result = run(path, "-c", "import sys; print(*sys.version_info[:3])")
    return (
        [int(part) for part in result.stdout.split()]
        if result is not None and result.returncode == 0
        else None
    )


def has_ipv6() -> bool:
    """Whether ::1 can be bound, which is what matters to a listener there."""
    if not socket.has_ipv6:
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def decode_address(text: str) -> str:
    """The address in /proc/net/tcp{,6}: 32-bit words in the host's byte order, here little endian."""
    raw = bytes.fromhex(text)
    words = b"".join(raw[index : index + 4][::-1] for index in range(0, len(raw), 4))
    return socket.inet_ntop(socket.AF_INET if len(words) == 4 else socket.AF_INET6, words)


def listeners(port: int) -> list[dict[str, Any]]:
    """Who listens on a TCP port: address, uid, and pid, exe, command where /proc shows them to us."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not Path(table).exists():
            continue
        rows = [line.split() for line in Path(table).read_text(encoding="ascii").splitlines()[1:]]
        for row in rows:
            address, number = row[1].rsplit(":", 1)
            if row[3] == LISTEN and int(number, 16) == port:
                owner = owner_of_socket(row[9])
                found.append(
                    {
                        "address": decode_address(address),
                        "uid": int(row[7]),
                        "user": name_of(int(row[7])),
                        **owner,
                    }
                )
    return found


def owner_of_socket(inode: str) -> dict[str, Any]:
    wanted = f"socket:[{inode}]"
    for process in Path("/proc").glob("[0-9]*"):
        try:
            for descriptor in (process / "fd").iterdir():
                if target_of(descriptor) == wanted:
                    command = (process / "cmdline").read_bytes()[:200].replace(b"\0", b" ")
                    return {
                        "pid": int(process.name),
                        "exe": str((process / "exe").readlink()),
                        "command": command.decode(errors="replace").strip(),
                    }
        except OSError:
            continue  # gone, or not ours to look into
    return {"pid": None, "exe": None, "command": None}


def disk_of(path: str) -> dict[str, Any]:
    """The nearest existing ancestor of a folder to be, its device and its free bytes."""
    nearest = Path(path)
    while not os.path.lexists(nearest):
        nearest = nearest.parent
    values = os.statvfs(nearest)
    return {
        "nearest": str(nearest),
        "device": nearest.stat().st_dev,
        "free": values.f_bavail * values.f_frsize,
    }


def differs(entry: Folder, is_kind: Callable[[int], bool] = stat.S_ISDIR) -> bool:
    """Whether a folder is missing, or has another owner, group or mode than it shall have ("" is any)."""
    path = Path(entry.path)
    try:
        seen = path.lstat() if is_kind is stat.S_ISREG else path.stat()
    except FileNotFoundError:
        return True
    except PermissionError:
        return False  # the run looks without root, into what others may not; its folder was right
    except OSError:
        return True
    return (
        not is_kind(seen.st_mode)
        or bool(entry.owner and name_of(seen.st_uid) != entry.owner)
        or bool(entry.group and group_of(seen.st_gid) != entry.group)
        or bool(entry.mode and stat.S_IMODE(seen.st_mode) != int(entry.mode, 8))
    )


def target_of(path: Path) -> str | None:
    try:
        return str(path.readlink())
    except OSError:
        return None


def ssh_ports() -> list[int]:
    """Where sshd can be reached, as far as a look without root tells; these are never closed.

    The port of the connection that this very look came by, those of its settings, and what a process of that
    name listens on.
    """
    found = set()
    if "SSH_CONNECTION" in os.environ:  # client, its port, server, its port
        found.add(int(os.environ["SSH_CONNECTION"].split()[3]))
    folder = Path("/etc/ssh")
    for file in (folder / "sshd_config", *sorted(folder.glob("sshd_config.d/*.conf"))):
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        found |= {int(number) for number in re.findall(r"(?im)^[ \t]*Port[ \t=]+([0-9]{1,5})", text)}
        addresses = re.findall(r"(?im)^[ \t]*ListenAddress[ \t=]+\S*[\].0-9a-z]:([0-9]{1,5})[ \t]*$", text)
        found |= {int(number) for number in addresses}
    for unit in ("/run/systemd/generator/ssh.socket.d", "/etc/systemd/system/ssh.socket.d"):
        for file in Path(unit).glob("*.conf"):
            text = file.read_text(encoding="utf-8", errors="replace")
            found |= {int(number) for number in re.findall(r"(?m)^ListenStream=\S*?([0-9]{1,5})$", text)}
    return sorted(port for port in found if 0 < port < 65536)


def observe(settings: Json, components: list[Component]) -> Json:
    """What a layout is decided by."""
    ports = {port for component in components for port in component.watched_ports(settings)}
    found = {str(port): listeners(port) for port in sorted(ports)}
    users = [component.user for component in components if component.user]
    host_facts.name_installations([row for rows in found.values() for row in rows], users)
    python = settings["artifact_python"]
    return {
        "os": read_os_release(),
        "python": {"path": python, "version": python_version(python)},
        "systemd": Path("/run/systemd/system").is_dir(),
        **observe_accounts(settings["homeport_user"]),
        **host_facts.hardware(),
        "ipv6": has_ipv6(),
        "crontab": shutil.which("crontab") is not None,
        "ssh_ports": ssh_ports(),
        "listeners": found,
        "container": host_facts.is_container(),
        "installations": host_facts.installations(pwd.getpwall(), DATA),
        "addresses": host_facts.own_addresses(),
        "probes": {
            component.name: {key: bool(glob.glob(path)) for key, path in component.probes.items()}  # noqa: PTH207
            for component in components
        },
    }


def look_closer(host: Host, place: Json, components: list[Component]) -> None:
    """Add what can only be looked at once it is known where everything goes."""
    observed = host.observed
    observed["disks"] = {path: disk_of(path) for path in (place["software"], place["state"])}
    asked = [entry.address for entry in asked_addresses(host, place, present(place, components))]
    observed["refused_addresses"] = host_facts.refused_addresses(asked)
    written = written_folders(place, components)
    observed["folders"] = host_facts.folders(written, as_root_later=place["elevate"])


def outstanding(host: Host, place: Json, components: list[Component]) -> Json:
    """What of the layout is not there yet."""
    users, groups, agent = host.observed["users"], host.observed["groups"], place["agent"]
    rootful, shared = place["rootful"], shared_groups(place, components)
    servers = "workstation" in host.groups

    def is_right(user: Json) -> bool:
        """Whether an account is in its own group, and in no other that is shared."""
        is_in = users.get(user["name"], {}).get("group") == user["group"]
        return is_in and not any(user["name"] in groups.get(group, ()) for group in shared)

    def lacks(group: str) -> bool:
        return agent["user"] not in groups.get(group, ()) and agent["user_group"] != group

    handed = {
        folder["path"] for folder in agent["handover"].get("folders", ()) if Path(folder["path"]).is_dir()
    }
    return {
        "handover": bool(agent["handover"]),
        "groups": [group for group in shared if group not in groups],
        "user": rootful and agent["user"] not in users,
        "memberships": [group for group in shared if lacks(group)],
        "service_users": [row for row in service_users(place, components) if not is_right(row)],
        "directories": [
            row._asdict() for row in folders(place, components) if row.path not in handed and differs(row)
        ],
        "files": [row._asdict() for row in files(place, components) if differs(row, stat.S_ISREG)],
        "retired": [path for path in retired(place, components) if os.path.lexists(path)],
        "certificates": foreign_certificates(place, components),
        "user_manager": host_facts.user_manager(agent["user"], servers and place["manager"] == "systemd"),
        "packages": host_facts.missing_packages() if rootful and servers else [],
        "crontab": place["crontab"] and CRON_MARK not in (run("crontab", "-l") or NOTHING).stdout,
        "links": [row for row in links(place, components) if target_of(Path(row["path"])) != row["target"]],
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "components": {"type": "dict", "required": True},
            "settings": {"type": "dict", "required": True},
            "groups": {"type": "list", "elements": "str", "required": True},
            "name": {"type": "str", "required": True},
            "command": {"type": "str", "required": True},
            "become_given": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    given = module.params
    components = compiled(given["components"])
    here = [component for component in components if set(component.groups) & set(given["groups"])]
    host = Host(
        observed=observe(given["settings"], here),
        settings=given["settings"],
        groups=tuple(given["groups"]),
        name=given["name"],
        command=given["command"],
        become_password=given["become_given"],
    )
    place = layout(host, components)
    look_closer(host, place, components)
    todo = outstanding(host, place, components)
    needs_accounts = todo["groups"] or todo["user"] or todo["memberships"] or todo["service_users"]
    host.observed["account_mounts"] = host_facts.account_mounts() if needs_accounts else []
    software = Path(place["software"])
    found = (path.name for path in (software / "tools").glob("*"))
    names = {*(component.tool for component in components if component.tool), *found}
    tools = {tool: software / "tools" / tool for tool in names}
    installed = {name: releases(folder, folder / "current") for name, folder in tools.items()}
    installed["agent"] = releases(software / "releases", software / "current")
    # A preview of a first run: many files have no folder yet that they could be compared in,
    # and no program yet that would check them.
    virgin = any(not Path(row.path).is_dir() for row in folders(place, components)) or any(
        installed[tool]["current"] is None for tool in place["tools"]
    )
    reverse_proxies = proxies(place, components)
    settings_files = [Path(proxy["files"][0]).name for proxy in reverse_proxies.values()]
    facts = {
        **place,
        "preview": module.check_mode and virgin,
        "machine": platform.machine(),
        "todo": todo,
        "installed": installed,
        "removal": removal(host, place, components),
        "proxies": reverse_proxies,
        "last_known_good": host_facts.last_known_good(Path(place["settings"]), settings_files),
    }
    module.exit_json(
        changed=False,
        problems=[{"error": error, "fix": fix} for error, fix in problems(host, place, components)],
        fatal=[{"error": error, "fix": fix} for error, fix in root_problems(host, place)],
        ansible_facts={"homeport": facts},
    )


if __name__ == "__main__":
    main()
