"""Python with what only Linux has taken away: what runs here has a chance on macOS, though it proves no more.

Python imports it at the start of every process with this folder in PYTHONPATH. Gone are names of the standard
library, /proc, /sys and /run, long and abstract socket paths, loopback addresses but one, and what macOS
limits more tightly: open files, listen queues, the send buffer of UDP. `sys.platform` says darwin.
"""

from __future__ import annotations

import errno
import os
import resource
import select
import selectors
import signal
import socket
import sys
import sysconfig
import time
import types

ONLY_LINUX = {
    os: (
        "copy_file_range eventfd eventfd_read eventfd_write fdatasync getrandom getresgid getresuid getxattr listxattr"
        " memfd_create pidfd_open pipe2 posix_fadvise posix_fallocate removexattr sched_getaffinity sched_getparam"
        " sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setparam sched_setscheduler setns"
        " setresgid setresuid setxattr splice unshare O_DIRECT O_LARGEFILE O_NOATIME O_PATH O_RSYNC O_TMPFILE"
        " P_PIDFD waitid"
    ),
    signal: "SIGCLD SIGPOLL SIGPWR SIGRTMAX SIGRTMIN SIGSTKFLT sigtimedwait sigwaitinfo",
    socket: (
        "AF_ALG AF_BLUETOOTH AF_CAN AF_NETLINK AF_PACKET AF_QIPCRTR AF_RDS AF_TIPC AF_VSOCK IP_BIND_ADDRESS_NO_PORT"
        " IP_TRANSPARENT MSG_CMSG_CLOEXEC MSG_CONFIRM MSG_ERRQUEUE MSG_FASTOPEN MSG_MORE MSG_NOSIGNAL"
        " SOCK_CLOEXEC SOCK_NONBLOCK SO_BINDTODEVICE SO_DOMAIN SO_INCOMING_CPU SO_MARK SO_PASSCRED SO_PASSSEC"
        " SO_PEERCRED SO_PEERSEC SO_PRIORITY SO_PROTOCOL TCP_CONGESTION TCP_CORK TCP_DEFER_ACCEPT TCP_INFO"
        " TCP_KEEPIDLE TCP_LINGER2 TCP_QUICKACK TCP_SYNCNT TCP_USER_TIMEOUT TCP_WINDOW_CLAMP"
    ),
    resource: "prlimit RLIMIT_MSGQUEUE RLIMIT_NICE RLIMIT_OFILE RLIMIT_RTPRIO RLIMIT_RTTIME RLIMIT_SIGPENDING",
    time: "CLOCK_BOOTTIME CLOCK_TAI pthread_getcpuclockid",
}
NOT_THERE = ("/proc", "/sys", "/run")
SUN_PATH = 103  # bytes of a unix socket's path
OPEN_FILES = 256  # at first
MOST_OPEN_FILES = 10_240
SOMAXCONN = 128
UDP_BUFFER = 9216  # bytes, net.inet.udp.maxdgram

# macOS has kqueue, whose descriptor can be watched like that of epoll; poll has none. So the standard library alone
# keeps epoll, under another name.
selectors.select = types.SimpleNamespace(**vars(select))
for name in [name for name in dir(select) if name.lower().startswith("epoll")]:
    delattr(select, name)
selectors.DefaultSelector = type("KqueueSelector", (selectors.EpollSelector,), {})

# These have code of their own for each system, which is not ours to try; they look at it once.
import psutil  # noqa: E402, F401
import uvloop  # noqa: E402, F401

sysconfig.get_config_vars()

for module, names in ONLY_LINUX.items():
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)

if sys.version_info >= (3, 13):
    os.process_cpu_count = os.cpu_count  # it would ask sched_getaffinity

sys.platform = "darwin"
proxies = types.ModuleType("_scproxy")  # a part of Python on macOS, in C
proxies._get_proxy_settings = proxies._get_proxies = dict
sys.modules["_scproxy"] = proxies


def _ours() -> bool:
    """Whether Homeport, and no library, asks."""
    frame = sys._getframe(2)
    while frame is not None:
        room = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if room not in {
            "sitecustomize",
            "os",
            "io",
            "pathlib",
            "genericpath",
            "posixpath",
            "shutil",
            "socket",
        }:
            return room == "homeportd"
        frame = frame.f_back
    return False


def _hidden(path: object) -> bool:
    if not isinstance(path, str | bytes | os.PathLike):
        return False
    text = os.fsdecode(path)
    return text.startswith(NOT_THERE) and _ours()


def _guard(event: str, arguments: tuple[object, ...]) -> None:
    if event in {"open", "os.listdir", "os.scandir", "os.chdir"} and _hidden(arguments[0]):
        raise FileNotFoundError(errno.ENOENT, "not on macOS", arguments[0])
    if event in {"socket.bind", "socket.connect"}:
        made, address = arguments
        if made.family == socket.AF_UNIX and (
            len(os.fsencode(address)) > SUN_PATH or not address.strip("\0")
        ):
            raise OSError("AF_UNIX path too long")
        loopback = made.family == socket.AF_INET and str(address[0]).startswith("127.")
        if loopback and address[0] != "127.0.0.1":
            raise OSError(errno.EADDRNOTAVAIL, "Can't assign requested address")


def _blind(function):
    def call(path, *arguments, **options):
        if _hidden(path):
            raise FileNotFoundError(errno.ENOENT, "not on macOS", path)
        return function(path, *arguments, **options)

    return call


for name in ("stat", "lstat", "readlink"):
    setattr(os, name, _blind(getattr(os, name)))
sys.addaudithook(_guard)

resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
_setrlimit = resource.setrlimit


def setrlimit(which: int, limits: tuple[int, int]) -> None:
    """Refuses what macOS refuses, though the hard limit says that there is none."""
    if which == resource.RLIMIT_NOFILE and limits[0] > MOST_OPEN_FILES:
        raise ValueError("current limit exceeds maximum limit")
    _setrlimit(which, limits)


resource.setrlimit = setrlimit


class Socket(socket.socket):
    """With the buffers and queues of macOS."""

    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, **options)
        if self.type == socket.SOCK_DGRAM and self.family != socket.AF_UNIX:
            self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UDP_BUFFER // 2)  # Linux doubles it

    def send(self, data: bytes, *flags: int) -> int:
        if self.type == socket.SOCK_DGRAM and len(data) > self.getsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF
        ):
            raise OSError(errno.EMSGSIZE, "Message too long")
        return super().send(data, *flags)

    def listen(self, backlog: int = SOMAXCONN) -> None:
        super().listen(min(backlog, SOMAXCONN))


socket.socket = Socket
