"""psutil gives the same answer as netlink, and is not imported where netlink works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from homeportd.ports.fallback import Psutil, PsutilOwners
from homeportd.ports.merge import Known, merge
from homeportd.ports.netlink import Netlink
from homeportd.ports.service import choose
from homeportd.sock_diag import NetlinkError

from .conftest import on


def view(source, holders, ports):
    """What a scan shows of some ports, without what psutil cannot know."""
    listeners = tuple(one for one in source.listeners() if one.port in ports)
    due = holders.due(listeners, time.monotonic())
    holders.learn(holders.look_up(due), time.monotonic())

    def known(each):
        return Known(holders.owner(each), holders.uid(each), holders.user(each))

    found = merge(listeners, known, lambda path: None, {}, None, os.getuid())
    return {
        number: [(each.addresses, each.uid, each.owner, each.title) for each in port.programs]
        for number, port in found.items()
    }


def test_both_see_the_same(netlink, owners, serve, tmp_path):
    ports = {serve(address, cwd=tmp_path)[1] for address in ("127.0.0.1", "0.0.0.0", "::1", "::")}
    by_netlink = view(netlink, owners, ports)
    by_psutil = view(Psutil(), PsutilOwners(), ports)
    assert by_netlink.keys() == ports
    assert by_psutil == by_netlink


def test_psutil_notices_what_opens_and_closes(listen):
    source = Psutil()
    server = listen()
    port = server.getsockname()[1]
    assert on(port, source.listeners())
    server.close()
    assert not on(port, source.listeners())


def test_a_process_that_ended_is_left_out(serve):
    source, holders = Psutil(), PsutilOwners()
    started, port = serve()
    listeners = tuple(on(port, source.listeners()))
    due = holders.due(listeners, 0.0)
    started.kill()
    started.wait()
    assert holders.look_up(due) == {}


def test_psutil_is_chosen_when_the_kernel_refuses(monkeypatch):
    def refuse(_self):
        raise NetlinkError(1, "sock_diag: Operation not permitted")

    monkeypatch.setattr(Netlink, "listeners", refuse)
    source, holders, blocking = choose()
    assert isinstance(source, Psutil)
    assert isinstance(holders, PsutilOwners)
    assert blocking


def test_psutil_is_not_imported_where_netlink_works():
    if sys.platform != "linux":
        pytest.skip("netlink is Linux's")
    code = """
import json, sys
from homeportd.ports.service import choose
from homeportd.system.service import System
source, holders, blocking = choose()
print(json.dumps([type(source).__name__, "psutil" in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert json.loads(done.stdout) == ["Netlink", False]
