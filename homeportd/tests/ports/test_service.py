"""The running scanner: what it tells, how soon, and at what cost."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import threading
import time

import pytest

from homeportd.ports import service as module
from homeportd.ports.model import Kind
from homeportd.ports.netlink import Netlink
from homeportd.ports.owners import Owners
from homeportd.ports.service import Ports
from homeportd.repos import service as repos_module
from homeportd.repos.service import Repos

SOON = module.PERIOD + 0.5  # seconds; 1.05 on a machine with nothing else to do
PATIENCE_S = 30.0  # on any other


class Watched:
    """A running scanner and the changes that it told."""

    def __init__(self, ports):
        self.ports = ports
        self.changes = asyncio.Queue()
        ports.changed.subscribe(self.changes.put_nowait)

    async def next(self, port, within=PATIENCE_S):
        """The next change of one port."""
        async with asyncio.timeout(within):
            while (change := await self.changes.get()).port.port != port:
                pass
        return change


@pytest.fixture
def patient(monkeypatch):
    """No port is shown before its owner and its repo are known, however slow the machine."""
    monkeypatch.setattr(module, "PATIENCE", PATIENCE_S)
    monkeypatch.setattr(repos_module, "PATIENCE", PATIENCE_S)


@pytest.fixture
async def repos(settings):
    made = Repos(settings)
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def watched(settings, repos):
    made = Ports(settings, repos)
    watched = Watched(made)
    await made.start()
    yield watched
    await made.close()


async def test_what_listens_already_is_known_at_once(patient, settings, repos, listen):
    port = listen().getsockname()[1]
    ports = Ports(settings, repos)
    await ports.start()
    assert ports.get(port).programs[0].owner.pid == os.getpid()
    assert list(ports.snapshot()) == sorted(ports.snapshot())
    await ports.close()


async def test_a_listener_comes_and_goes_within_a_scan(watched, listen):
    took = []
    while len(took) < 5:  # one of a few: others may have waited for a processor
        begun = time.monotonic()
        server = listen()
        port = server.getsockname()[1]
        opened = await watched.next(port)
        assert opened.kind is Kind.OPENED
        assert watched.ports.get(port) == opened.port
        there = time.monotonic() - begun
        server.close()
        closed = await watched.next(port)
        assert closed.kind is Kind.CLOSED
        assert watched.ports.get(port) is None
        took.append((there, time.monotonic() - begun - there))
        if max(took[-1]) < SOON:
            break
    assert max(took[-1]) < SOON, took


async def test_a_second_address_is_a_change_and_keeps_first_seen(patient, watched, listen):
    port = listen().getsockname()[1]
    opened = await watched.next(port)
    listen("::1", port)
    changed = await watched.next(port)
    assert changed.kind is Kind.CHANGED
    assert changed.port.addresses == ("127.0.0.1", "::1")
    assert changed.port.first_seen == opened.port.first_seen


async def test_a_server_in_a_repo_is_shown_under_it(patient, watched, settings, serve):
    repo = settings.repo_root / "shop"
    (repo / "web").mkdir(parents=True)
    subprocess.run(["git", "init", "-q", "-b", "trunk", str(repo)], check=True)
    started, port = await asyncio.to_thread(serve, cwd=repo / "web")
    opened = await watched.next(port)
    assert (opened.port.programs[0].repo, opened.port.programs[0].subdir) == ("shop", "web")
    assert opened.port.programs[0].owner.pid == started.pid


async def test_a_restart_on_the_same_port_is_a_change_of_owner(patient, watched, serve):
    first, port = await asyncio.to_thread(serve)
    await watched.next(port)
    first.kill()
    first.wait()
    second, _ = await asyncio.to_thread(serve, port=port)
    change = await watched.next(port)
    while change.kind is Kind.CLOSED:  # the scan fell between the two
        change = await watched.next(port)
    assert change.port.programs[0].owner.pid == second.pid


async def test_ports_out_of_range_and_our_own_are_left_out(settings, repos, listen):
    servers = [listen().getsockname()[1] for _ in range(3)]
    narrow = settings.model_copy(
        update={"port_ranges": (str(servers[0]), str(servers[1])), "own_ports": frozenset({servers[1]})}
    )
    ports = Ports(narrow, repos)
    await ports.start()
    assert list(ports.snapshot()) == [servers[0]]
    await ports.close()


async def test_a_scan_that_fails_is_logged_once_and_the_view_stays(watched, listen, monkeypatch, caplog):
    port = listen().getsockname()[1]
    await watched.next(port)

    def fail(_self):
        raise OSError("out of memory")

    with caplog.at_level(logging.INFO):
        with monkeypatch.context() as patch:
            patch.setattr(Netlink, "listeners", fail)
            for _ in range(3):
                await watched.ports.scan()
        assert watched.ports.get(port) is not None
        await watched.ports.scan()
    told = [record.getMessage() for record in caplog.records if record.name == module.__name__]
    assert told == ["cannot see which ports listen: OSError: out of memory", "ports are seen again"]


async def test_a_look_up_that_hangs_does_not_stop_the_scan(watched, listen, monkeypatch):
    real = Owners.look_up
    seen_without = threading.Event()

    def slow(self, due):
        assert seen_without.wait(PATIENCE_S)
        return real(self, due)

    monkeypatch.setattr(Owners, "look_up", slow)
    port = listen().getsockname()[1]
    opened = await watched.next(port)
    assert opened.port.programs[0].owner is None
    seen_without.set()
    changed = await watched.next(port)
    assert changed.kind is Kind.CHANGED
    assert changed.port.programs[0].owner.pid == os.getpid()


async def test_300_listeners_cost_next_to_nothing(watched, listen):
    servers = [listen() for _ in range(300)]
    await watched.next(servers[-1].getsockname()[1])
    await watched.ports.scan()
    spent = []
    for _ in range(20):
        start = time.thread_time()
        await watched.ports.scan()
        spent.append(time.thread_time() - start)
    # 0.3 ms here; ten times that still is less than half a percent of a processor.
    assert sorted(spent)[10] < 0.003


async def test_the_schedule_survives_a_blocked_loop(watched, listen):
    time.sleep(2.2)  # noqa: ASYNC251 - the loop is to stand still
    port = listen().getsockname()[1]
    assert (await watched.next(port)).kind is Kind.OPENED


async def test_psutil_in_its_place(patient, settings, repos, listen, monkeypatch, caplog):
    def refuse(_self):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Netlink, "listeners", refuse)
    ports = Ports(settings, repos)
    port = listen().getsockname()[1]
    await ports.start()
    watched = Watched(ports)
    assert ports.get(port).programs[0].owner.pid == os.getpid()
    assert "psutil" in caplog.text
    later = listen("::1").getsockname()[1]
    assert (await watched.next(later)).port.addresses == ("::1",)
    await ports.close()
