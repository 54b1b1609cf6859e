"""Facts about a Linux process, and the holder of a socket: plain files of proc(5)."""

# Strings and os: a Path for each of thousands of descriptors would cost more than the read.
# ruff: noqa: PTH115, PTH123, PTH208
from __future__ import annotations

import os
import pwd
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from homeportd.accounts import user_name
from homeportd.ports.model import Owner

MAX_COMMAND = 8 * 1024  # bytes of a command line that are read
MAX_ARGUMENTS = 128
MAX_ANCESTORS = 64  # parents that are climbed; a real chain is far shorter
ACTIVATORS = frozenset({"systemd", "init", "launchd", "xinetd"})  # hold a socket only to hand it on

# Programs that hold a published port of a container in its place: Docker's and podman's, with root and without.
FORWARDERS = frozenset(
    {"docker-proxy", "conmon", "rootlessport", "rootlessport-child", "rootlesskit", "slirp4netns"}
    | {"pasta", "pasta.avx2"}
)
# As Docker, podman and containerd name the control group of a container.
_CONTAINER = re.compile(rb"(?:docker[-/]|libpod-(?:conmon-)?|cri-containerd-)([0-9a-f]{64})")
MAX_CGROUP = 4096  # bytes

_DELETED = " (deleted)"  # how the kernel marks a folder that is gone


@dataclass(frozen=True)
class Stat:
    """The part of /proc/<pid>/stat that matters here. `started` is in clock ticks since boot."""

    name: str
    parent: int
    started: int


def stat(pid: int) -> Stat:
    """The stat of a process. Raises OSError when there is none."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        data = file.read(4096)
    # The name is in parentheses and may itself contain blanks and parentheses.
    name, _, rest = data.partition(b"(")[2].rpartition(b")")
    fields = rest.split()
    return Stat(name.decode("utf-8", "replace"), int(fields[1]), int(fields[19]))


@cache
def _boot() -> tuple[int, int]:
    """(seconds since 1970 at boot, clock ticks a second)."""
    with open("/proc/stat", "rb") as file:
        for line in file:
            if line.startswith(b"btime "):
                return int(line.split()[1]), os.sysconf("SC_CLK_TCK")
    raise OSError("/proc/stat has no btime")


def describe(pid: int, started: int) -> Owner:
    """The process as an Owner. Raises OSError when it is gone or not ours to read."""
    folder = f"/proc/{pid}"
    with open(f"{folder}/cmdline", "rb") as file:
        command = file.read(MAX_COMMAND)
    boot, ticks = _boot()
    argv = arguments(command)
    return Owner(
        pid=pid,
        started_at=datetime.fromtimestamp(boot + started / ticks, UTC),
        user=user_name(uid(pid)),
        argv=argv,
        cwd=_working_folder(folder),
        contained=bool(argv and argv[0].rpartition("/")[2] in FORWARDERS) or container_id(pid) is not None,
    )


def uid(pid: int) -> int:
    """The user id of a process. Raises OSError when there is none."""
    with open(f"/proc/{pid}/status", "rb") as file:
        for line in file:
            if line.startswith(b"Uid:"):
                return int(line.split()[2])  # the effective one
    raise OSError(f"/proc/{pid}/status has no Uid")


def has_account(number: int) -> bool:
    """Whether a uid is an account of this machine, and not of a container."""
    try:
        pwd.getpwuid(number)
    except KeyError:
        return False
    return True


def container_id(pid: int) -> str | None:
    """The container that a process is in, by its control group, 64 digits; None for the one that we are in."""
    found = _container_id(pid)
    return None if found == _own_container() else found


@cache
def _own_container() -> str | None:
    return _container_id(os.getpid())


def _container_id(pid: int) -> str | None:
    try:
        with open(f"/proc/{pid}/cgroup", "rb") as file:
            found = _CONTAINER.findall(file.read(MAX_CGROUP))
    except OSError:
        return None
    return found[-1].decode() if found else None


def ancestors(pid: int) -> Iterator[int]:
    """The parents of a process, nearest first, without pid 1."""
    for _ in range(MAX_ANCESTORS):
        try:
            pid = stat(pid).parent
        except (OSError, ValueError, IndexError):
            return
        if pid <= 1:
            return
        yield pid


def arguments(command: bytes) -> tuple[str, ...]:
    """Split /proc/<pid>/cmdline. Programs that rewrite their title leave one text, padded with NULs."""
    stripped = command.rstrip(b"\0")
    if not stripped:
        return ()
    return tuple(
        part.decode("utf-8", "replace") for part in stripped.split(b"\0", MAX_ARGUMENTS)[:MAX_ARGUMENTS]
    )


def _working_folder(folder: str) -> Path | None:
    try:
        link = os.readlink(f"{folder}/cwd")
    except OSError:
        return None
    try:
        link.encode()
    except UnicodeEncodeError:
        return None  # a name that is no UTF-8 could not be shown nor sent
    return Path(link.removesuffix(_DELETED)) if link.startswith("/") else None


def sockets(pid: int) -> Iterator[tuple[int, int]]:
    """(descriptor, inode) of each socket that a process holds; nothing when that is not ours to read."""
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        try:
            link = os.readlink(f"{folder}/{name}")
        except OSError:
            continue
        if link.startswith("socket:["):
            yield int(name), int(link[8:-1])


def holds(pid: int, descriptor: int, inode: int) -> bool:
    """Whether that descriptor of that process still is that socket."""
    try:
        return os.readlink(f"/proc/{pid}/fd/{descriptor}") == f"socket:[{inode}]"
    except OSError:
        return False


def find_holders(
    inodes: Collection[int], approach: Callable[[int], None] = lambda pid: None
) -> dict[int, tuple[int, int]]:
    """Which (pid, descriptor) holds each inode; what nobody readable holds is left out.

    `approach` is called with each pid before that process is looked at.

    One walk over all processes, the newest first, since a new socket mostly has a new process; it ends when
    all are found. A socket that was inherited by a fork is held by several: the one that says what it is (the
    master of gunicorn, the reloader of uvicorn) is the highest ancestor in an unbroken line of holders.
    """
    missing = set(inodes)
    found: dict[int, tuple[int, int]] = {}
    with suppress(OSError):
        pids = sorted((int(name) for name in os.listdir("/proc") if name.isdigit()), reverse=True)
        for pid in pids:
            if not missing:
                break
            approach(pid)
            for descriptor, inode in sockets(pid):
                if inode in missing:
                    missing.discard(inode)
                    found[inode] = (pid, descriptor)
    parents: dict[int, int] = {}
    held: dict[int, dict[int, int]] = {}  # pid -> inode -> descriptor, for the parents that were looked at
    return {inode: _highest(inode, holder, parents, held, approach) for inode, holder in found.items()}


def _highest(
    inode: int,
    holder: tuple[int, int],
    parents: dict[int, int],
    held: dict[int, dict[int, int]],
    approach: Callable[[int], None],
) -> tuple[int, int]:
    pid = holder[0]
    for _ in range(MAX_ANCESTORS):
        try:
            parent = parents[pid] if pid in parents else parents.setdefault(pid, stat(pid).parent)
            if parent <= 1 or (parent not in held and stat(parent).name in ACTIVATORS):
                return holder
        except (OSError, ValueError, IndexError):
            return holder
        if parent not in held:
            approach(parent)
            held[parent] = {found: descriptor for descriptor, found in sockets(parent)}
        if inode not in held[parent]:
            return holder
        pid, holder = parent, (parent, held[parent][inode])
    return holder
