"""Privileges, given up for good in a child process, and for the length of one look at another user's process.

Python knows no capset(2), prctl(2) and setfsuid(2); they are called in the C library.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import resource

_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 24, 38  # linux/prctl.h
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_CAPABILITY_VERSION_3 = 0x20080522  # linux/capability.h
_MAX_CAPABILITY = 64
_SIGKILL = 9
_NO_GROUP = 65534  # of a uid that has no account
MAX_UID = 2**32 - 2  # setresuid(2) takes the next number for "leave it as it is"

# What a child that reads another user's files may use.
MAX_CPU_S = 10
MAX_MEMORY = 2 * 1024**3  # bytes of address space: git maps whole packs
MAX_FILE = 1024**2  # bytes that it may write into one file
MAX_DESCRIPTORS = 256

_libc = ctypes.CDLL(None, use_errno=True)


class _Header(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _Data(ctypes.Structure):
    _fields_ = [
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    ]


def become(uid: int) -> None:
    """Have the rights of this user and nothing else, irrevocably; raises OSError where that does not hold afterwards.

    Groups are those of the account, none where there is none. No capability is left, also to root, and no program that
    is started later can gain one.
    """
    if not 0 <= uid <= MAX_UID:
        raise PermissionError(1, "not a uid")
    gid, groups = _groups(uid)
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    for capability in range(_MAX_CAPABILITY):
        # Needs CAP_SETPCAP, which the unit does not have: there "no new privileges" does the same.
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    header, nothing = _Header(_CAPABILITY_VERSION_3, 0), (_Data * 2)()
    _check(_libc.capset(ctypes.byref(header), nothing))
    left = (_Data * 2)()
    _check(_libc.capget(ctypes.byref(header), left))
    if os.getresuid() != (uid, uid, uid) or any(each.permitted or each.effective for each in left):
        raise PermissionError(1, "rights are left")
    _check(_libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0))  # after the change of user, which clears it


def limit() -> None:
    """Bound what this process and its children use."""
    for kind, most in (
        (resource.RLIMIT_CPU, MAX_CPU_S),
        (resource.RLIMIT_AS, MAX_MEMORY),
        (resource.RLIMIT_FSIZE, MAX_FILE),
        (resource.RLIMIT_NOFILE, MAX_DESCRIPTORS),
        (resource.RLIMIT_CORE, 0),
    ):
        _soft, hard = resource.getrlimit(kind)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (least, least))


def approach(pid: int) -> None:
    """Read files from now on as the user who owns /proc/<pid>; root's own identity where that is root.

    The descriptors of a process may be listed by its own user; CAP_DAC_READ_SEARCH, which would do as well, could read
    every file of the machine.
    """
    try:
        status = os.stat(f"/proc/{pid}")  # noqa: PTH116 - of thousands of processes
    except OSError:
        return
    _libc.setfsuid(0)
    _libc.setfsgid(status.st_gid)
    _libc.setfsuid(status.st_uid)


def step_back() -> None:
    """Read files as root again."""
    _libc.setfsuid(0)
    _libc.setfsgid(0)


def _groups(uid: int) -> tuple[int, list[int]]:
    if uid == 0:
        return 0, []
    try:
        account = pwd.getpwuid(uid)
    except KeyError:
        return _NO_GROUP, []
    return account.pw_gid, os.getgrouplist(account.pw_name, account.pw_gid)


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
