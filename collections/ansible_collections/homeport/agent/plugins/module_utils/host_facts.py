"""Facts about the machine itself for host_rules. Reads only; nothing is created, not even for a moment."""

from __future__ import annotations

import array
import errno
import fcntl
import filecmp
import glob
import json
import os
import platform
import pwd
import re
import shutil
import socket
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible_collections.homeport.agent.plugins.module_utils.names import SOFTWARE

Json = dict[str, Any]

ACCOUNT_FILES = ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow")
# The programs of an installation, whose folder's name ends with /homeport. What a process says of itself is its
# user's word: only plain characters are taken, and the account is always the kernel's.
PROGRAM = re.compile(r"(/[A-Za-z0-9._/@+-]*?/homeport)/(?:tools/[a-z0-9_-]+/|current/bin|releases/)")
MOST_COMMAND = 4096  # bytes of a command line that are looked at

NETLINK_ROUTE = 0
RTM_NEWADDR, RTM_GETADDR, NLMSG_DONE, NLMSG_ERROR = 20, 22, 3, 2
NLM_F_REQUEST_DUMP = 0x301
IFA_ADDRESS, IFA_LOCAL = 1, 2
NETLINK_SECONDS = 2
NETLINK_BYTES = 65536

FS_IOC_GETFLAGS = (2 << 30) | (struct.calcsize("l") << 16) | 0x6601
FS_IMMUTABLE_FL, FS_APPEND_FL = 0x10, 0x20


def own_addresses() -> list[str]:
    """The addresses of this machine's interfaces, asked of the kernel; empty where it does not say."""
    found: list[str] = []
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE) as kernel:
            kernel.settimeout(NETLINK_SECONDS)
            kernel.send(struct.pack("=IHHIIBBBBI", 24, RTM_GETADDR, NLM_F_REQUEST_DUMP, 1, 0, 0, 0, 0, 0, 0))
            while _read_addresses(kernel.recv(NETLINK_BYTES), found):
                pass
    except OSError:
        return []
    return list(dict.fromkeys(found))


def _read_addresses(answer: bytes, found: list[str]) -> bool:
    """Append the addresses of one datagram; whether more are to come."""
    offset = 0
    while offset + 16 <= len(answer):
        length, kind = struct.unpack_from("=IH", answer, offset)
        if kind in (NLMSG_DONE, NLMSG_ERROR) or length < 16:
            return False
        if kind == RTM_NEWADDR:
            address = _read_address(answer[offset + 16 : offset + length])
            if address:
                found.append(address)
        offset += (length + 3) & ~3
    return True


def _read_address(message: bytes) -> str:
    """The local address of one ifaddrmsg and its attributes."""
    if len(message) < 8:
        return ""
    family, index = struct.unpack_from("=BxxxI", message)
    attributes = {}
    offset = 8
    while offset + 4 <= len(message):
        length, kind = struct.unpack_from("=HH", message, offset)
        if length < 4:
            break
        attributes[kind] = message[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    # On a point-to-point link IFA_ADDRESS is the other end.
    raw = attributes.get(IFA_LOCAL, attributes.get(IFA_ADDRESS, b""))
    if (family, len(raw)) not in ((socket.AF_INET, 4), (socket.AF_INET6, 16)):
        return ""
    text = socket.inet_ntop(family, raw)
    if text.startswith("fe80:"):
        try:
            return f"{text}%{socket.if_indextoname(index)}"
        except OSError:
            return text
    return text


def hardware() -> Json:
    """`machine`, as `uname -m` says, and `memory` in kB; 0 where the system does not say."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        text = ""
    found = re.search(r"^MemTotal: +([0-9]+) kB$", text, re.MULTILINE)
    return {"machine": platform.machine(), "memory": int(found[1]) if found else 0}


def refused_addresses(addresses: Iterable[str]) -> list[str]:
    """Those that the kernel lets nobody listen on here.

    A socket is bound to each, with a port of the kernel's choice. Where net.ipv4.ip_nonlocal_bind lets every
    address be bound, Caddy and Traefik may bind it as well: then it is none of these.
    """
    refused = []
    for address in addresses:
        try:
            family, kind, protocol, _unused, target = socket.getaddrinfo(
                address, 0, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )[0]
            with socket.socket(family, kind, protocol) as probe:
                probe.bind(target)
        except socket.gaierror:
            refused.append(address)  # a scope that names no interface
        except OSError as error:
            if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EINVAL, errno.ENODEV):
                refused.append(address)
    return refused


def mount_points() -> list[str]:
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    rows = (line.split(" ") for line in lines)
    return [
        re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), row[4]) for row in rows if len(row) > 4
    ]


def folders(paths: Iterable[str], *, as_root_later: bool) -> list[Json]:
    """For each folder: its nearest existing ancestor, the mount that is on, and why it cannot be written ("").

    `as_root_later`: the run writes with more rights than this look has, whose own therefore say nothing.
    """
    mounts = mount_points()
    found = []
    for path in paths:
        nearest = Path(path)
        while not os.path.lexists(nearest) and nearest != nearest.parent:
            nearest = nearest.parent
        shown = str(nearest)
        above = [mount for mount in mounts if shown == mount or shown.startswith(mount.rstrip("/") + "/")]
        found.append(
            {
                "path": path,
                "nearest": shown,
                "mount": max(above, key=len, default="/"),
                "why": _why_not_writable(nearest, as_root_later=as_root_later),
            }
        )
    return found


def _why_not_writable(folder: Path, *, as_root_later: bool) -> str:
    if not folder.is_dir():
        return "not a folder"
    try:
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            return "read-only"
    except OSError:
        return ""
    attribute = _attribute(folder)
    if attribute:
        return attribute
    if not as_root_later and not os.access(folder, os.W_OK | os.X_OK):
        return "permission"
    return ""


def _attribute(folder: Path) -> str:
    """What chattr set that keeps files from being replaced; "" too where it cannot be read."""
    value = array.array("l", [0])
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        fcntl.ioctl(descriptor, FS_IOC_GETFLAGS, value)
    except OSError:
        return ""
    finally:
        os.close(descriptor)
    if value[0] & FS_IMMUTABLE_FL:
        return "immutable"
    return "append-only" if value[0] & FS_APPEND_FL else ""


def account_mounts() -> list[str]:
    """Files of accounts that are mounted one by one, so that useradd cannot replace them."""
    mounts = set(mount_points())
    return [path for path in ACCOUNT_FILES if path in mounts]


def user_manager(user: str, wanted: bool) -> Json:
    """What a user's own systemd lacks to run without a login: `package`, that starts it; `linger`, that keeps it.

    Dev servers run below it. Where it is not `wanted` it lacks nothing.
    """
    if not wanted:
        return {"package": False, "linger": False}
    places = ("/usr/lib/*/security", "/usr/lib*/security", "/lib/*/security", "/lib*/security")
    has_module = any(glob.glob(f"{place}/pam_systemd.so") for place in places)  # noqa: PTH207
    return {
        "package": not has_module and Path("/usr/bin/apt-get").exists(),
        "linger": not Path("/var/lib/systemd/linger", user).exists(),
    }


def missing_packages() -> list[str]:
    """Debian's packages of the programs that repositories are cloned with, where they are missing and apt is there."""
    packages = {"git": "git", "ssh": "openssh-client", "ssh-keygen": "openssh-client"}
    if shutil.which("apt-get") is None:
        return []
    return sorted({package for program, package in packages.items() if shutil.which(program) is None})


def is_container() -> bool:
    if any(Path(name).exists() for name in ("/run/.containerenv", "/.dockerenv", "/run/systemd/container")):
        return True
    return "container" in os.environ


def installations(accounts: Iterable[pwd.struct_passwd], data: Path) -> list[Json]:
    """Installations of Homeport on this machine, as far as their folders can be seen: software, user."""
    found = []
    if os.path.lexists(f"{SOFTWARE}/current"):
        try:
            owner = pwd.getpwuid(data.stat().st_uid).pw_name
        except (OSError, KeyError):
            owner = "root"
        found.append({"software": SOFTWARE, "user": owner})
    for account in accounts:
        software = f"{account.pw_dir}/.local/share/homeport"
        if account.pw_dir.startswith("/") and os.path.lexists(f"{software}/current"):
            found.append({"software": software, "user": account.pw_name})
    return found


def name_installations(listeners: Iterable[Json], service_users: Iterable[str] = ()) -> None:
    """Give each listener its `installation`: the software folder of the Homeport that it belongs to, or None.

    `service_users` are those that the programs of an installation by root run as.
    """
    users = set(service_users)
    for listener in listeners:
        match = PROGRAM.search(f"{listener['exe'] or ''} {listener['command'] or ''}")
        if match:
            listener["installation"] = match[1]
        elif listener["user"] in users:
            listener["installation"] = SOFTWARE
        elif listener["pid"] is None:
            listener["installation"] = _installation_of(listener["uid"])
        else:
            listener["installation"] = None


def _installation_of(uid: int) -> str | None:
    """The Homeport that an account runs, by command lines: these are readable where descriptors are not."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.stat().st_uid != uid:
                continue
            with (process / "cmdline").open("rb") as file:
                command = file.read(MOST_COMMAND).replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        match = PROGRAM.search(command)
        if match and (" serve " in f"{command} " or "/tools/" in command):
            return match[1]
    return None


def last_known_good(settings: Path, wanted: list[str]) -> bool:
    """Whether the host's settings are those with which it answered last (module reverse_proxy).

    `wanted`: the files that must be among them.
    """
    folder = settings / "last-known-good"
    try:
        files = json.loads((folder / "state.json").read_text(encoding="utf-8"))["files"]
        return set(wanted) <= set(files) and all(_is_same(folder / name, Path(files[name])) for name in files)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _is_same(kept: Path, file: Path) -> bool:
    try:
        return filecmp.cmp(kept, file, shallow=False)
    except PermissionError:
        return True  # the run looks without root; a program's file has its secrets in it
