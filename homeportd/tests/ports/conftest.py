"""Real sockets and processes to look at."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from homeportd.ports.netlink import Netlink
from homeportd.ports.owners import Owners
from homeportd.settings import Settings

SERVER = """
import socket, sys, time
address, port = sys.argv[1], int(sys.argv[2])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
server = socket.create_server((address, port), family=family)
print(server.getsockname()[1], flush=True)
time.sleep(600)
"""


@pytest.fixture
def stack():
    """Whatever is entered or called back here ends with the test."""
    with ExitStack() as made:
        yield made


@pytest.fixture
def listen(stack):
    """Listen on an address, on a free port unless told otherwise: `listen("::1", dual=False) -> socket`."""

    def listen(address="127.0.0.1", port=0, *, dual=False):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        dual = {"dualstack_ipv6": True} if dual else {}
        return stack.enter_context(socket.create_server((address, port), family=family, **dual))

    return listen


@contextmanager
def process(*command, **options):
    """A process that is ended, and its pipes closed."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, **options) as started:
        try:
            yield started
        finally:
            started.kill()


@pytest.fixture
def serve(stack):
    """A process that listens: `serve(cwd=...) -> (process, port)`."""

    def serve(address="127.0.0.1", port=0, *, prefix=(), **options):
        command = [*prefix, sys.executable, "-c", SERVER, address, str(port)]
        started = stack.enter_context(process(*command, **options))
        assert started.stdout is not None
        return started, int(started.stdout.readline())

    return serve


@pytest.fixture
def netlink(stack):
    """The kernel's answer."""
    made = Netlink()
    stack.callback(made.close)
    return made


@pytest.fixture
def owners(stack):
    """The memory of owners."""
    made = Owners()
    stack.callback(made.close)
    return made


@pytest.fixture
def settings(tmp_path):
    """All ports but one, and a repo root of its own."""
    root = tmp_path / "repos"
    root.mkdir()
    return Settings(
        origin="http://{port}.localhost:8080",
        port_ranges=("1-65535",),
        own_ports=frozenset({8080}),
        repo_root=root,
        data_dir=tmp_path,
        socket_dir=tmp_path,
    )


def on(port, listeners):
    """Those listeners that are on a port."""
    return [one for one in listeners if one.port == port]


def wait_for_end(pid):
    """Wait until a process that is not a child of ours has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], 60)[0]
    finally:
        os.close(descriptor)


def held(pid):
    """What the descriptors of a process are."""
    found = set()
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # that of the listing itself
            found.add(str(each.readlink()))
    return found


def alive(pid):
    """Whether there is such a process."""
    return Path(f"/proc/{pid}").exists()
