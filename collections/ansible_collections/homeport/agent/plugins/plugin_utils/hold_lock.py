"""Hold the lock of one target for as long as a process lives; started by the action plugin `preflight`.

    python hold_lock.py NAME PID

The lock is a unix socket in Linux's abstract namespace: it is in no file, the kernel gives it to one process only
and takes it back when that process ends, however it ends, and SO_PEERCRED tells everybody whose it is. Prints one
line of JSON, {"held": true}, and stays until process PID has ended; or {"held": false, "pid", "uid", "since"} of
the run that has it (pid and since None where they cannot be seen, uid too where its holder hides), and ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import struct
import sys
import time
from pathlib import Path

ANSWER_SECONDS = 1.0  # for a holder to say which run it holds the lock for
TRIES = 5  # at a lock whose holder is just ending
PAUSE_SECONDS = 0.1
MOST_ANSWER = 16  # bytes of a pid
BACKLOG = 64
CREDENTIALS = struct.Struct("=iII")  # struct ucred: pid, uid, gid


def address_of(name: str) -> bytes:
    return b"\0" + name.encode()


def begun_at(pid: int) -> float | None:
    """When a process began, in seconds since 1970."""
    try:
        ticks = int(
            Path(f"/proc/{pid}/stat")
            .read_text(encoding="ascii", errors="replace")
            .rpartition(")")[2]
            .split()[19]
        )
        boot = next(
            int(line.split()[1])
            for line in Path("/proc/stat").read_text(encoding="ascii").splitlines()
            if line.startswith("btime ")
        )
    except (OSError, ValueError, IndexError, StopIteration):
        return None
    return boot + ticks / os.sysconf("SC_CLK_TCK")


def owner_of(pid: int) -> int | None:
    try:
        return Path(f"/proc/{pid}").stat().st_uid
    except OSError:
        return None


def ask_holder(name: str) -> dict[str, object] | None:
    """Whose lock it is; None where its holder has just gone.

    Pid and user are the kernel's word. Which run the holder works for is its own word, and is believed only if that
    process belongs to the same user.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(ANSWER_SECONDS)
        try:
            asking.connect(address_of(name))
        except OSError:
            return hidden_holder(name)
        raw = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
        pid, uid, _unused = CREDENTIALS.unpack(raw)
        with contextlib.suppress(OSError, ValueError):
            claimed = int(asking.recv(MOST_ANSWER))
            if claimed > 1 and owner_of(claimed) == uid:
                pid = claimed
    seen = pid if pid > 0 else None  # 0: in a container that shares our network alone
    return {"held": False, "pid": seen, "uid": uid, "since": begun_at(pid) if seen else None}


def hidden_holder(name: str) -> dict[str, object] | None:
    """Who took the name and answers nobody, found by the socket's number; root alone can see that of others."""
    inodes = {
        line.split()[6]
        for line in Path("/proc/net/unix").read_text(encoding="utf-8", errors="replace").splitlines()[1:]
        if line.endswith(f" @{name}")
    }
    if not inodes:
        return None
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(str(entry.readlink()) in wanted for entry in (process / "fd").iterdir()):
                pid = int(process.name)
                return {"held": False, "pid": pid, "uid": owner_of(pid), "since": begun_at(pid)}
    return {"held": False, "pid": None, "uid": None, "since": None}


def say(answer: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def take(name: str, lock: socket.socket) -> dict[str, object]:
    """Bind the lock, or tell who has it."""
    holder: dict[str, object] | None = None
    for _unused in range(TRIES):
        try:
            lock.bind(address_of(name))
        except OSError:
            holder = ask_holder(name)
            if holder is not None:
                return holder
            time.sleep(PAUSE_SECONDS)
        else:
            return {"held": True}
    return {"held": False, "pid": None, "uid": None, "since": None}


def main() -> int:
    name, pid = sys.argv[1], int(sys.argv[2])
    run = os.pidfd_open(pid)
    if os.fork():  # whoever started it has nobody to wait for
        return 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as lock:
        answer = take(name, lock)
        if not answer["held"]:
            # Two names of the inventory may be one machine: its run is already ours.
            say({"held": True} if answer["pid"] == pid else answer)
            return 0
        lock.listen(BACKLOG)
        lock.setblocking(False)
        say(answer)
        os.dup2(os.open(os.devnull, os.O_RDWR), sys.stdout.fileno())
        waiting = select.poll()
        waiting.register(run, select.POLLIN)
        waiting.register(lock, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _unused in waiting.poll()}
            if run in ready:
                return 0
            with contextlib.suppress(OSError):
                asking, _unused = lock.accept()
                with asking:
                    asking.setblocking(False)
                    asking.send(str(pid).encode())


if __name__ == "__main__":
    sys.exit(main())
