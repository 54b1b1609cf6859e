"""From sockets to ports."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeportd.ports.merge import changes, merge
from homeportd.ports.model import Kind, Owner, Port
from homeportd.ports.netlink import Listener
from homeportd.repos.model import Repo

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def owner(pid, *, started=0, cwd="/srv/shop/web", argv=("node", "server.js")):
    return Owner(pid, NOW + timedelta(seconds=started), "ada", argv, Path(cwd) if cwd else None)


def user(listener):
    return f"uid {listener.uid}"


def one(listeners, owners, *, repo=None, before=None):
    found = merge(listeners, lambda each: owners.get(each.inode), user, lambda path: repo, before or {}, NOW)
    assert len(found) == 1
    return next(iter(found.values()))


def test_sockets_on_one_number_are_one_port_with_the_owner_that_is_dialled():
    v6, v4 = Listener("::1", 3000, 2, 1000), Listener("127.0.0.1", 3000, 1, 1000)
    port = one([v6, v4], {1: owner(10), 2: owner(20)})
    assert port.addresses == ("127.0.0.1", "::1")
    assert port.owner.pid == 10
    assert port.upstream == "127.0.0.1:3000"


def test_of_workers_on_one_address_the_first_one_owns():
    workers = [Listener("0.0.0.0", 3000, inode, 1000) for inode in (1, 2, 3)]
    port = one(workers, {1: owner(30, started=3), 2: owner(20, started=1), 3: owner(10, started=2)})
    assert port.addresses == ("0.0.0.0",)
    assert port.owner.pid == 20


def test_an_unreadable_socket_does_not_hide_a_readable_one():
    both = [Listener("127.0.0.1", 3000, 1, 0), Listener("::1", 3000, 2, 1000)]
    assert one(both, {2: owner(20)}).owner.pid == 20


def test_without_owner_there_is_nothing_else():
    port = one([Listener("0.0.0.0", 3000, 1, 0)], {})
    assert (port.owner, port.title, port.repo, port.subdir) == (None, None, None, None)


@pytest.mark.parametrize(("cwd", "subdir"), [("/srv/shop/web/a", "web/a"), ("/srv/shop", "")])
def test_a_process_in_a_repo_has_its_place_there(cwd, subdir):
    repo = Repo("shop", "shop", Path("/srv/shop"))
    port = one([Listener("::", 3000, 1, 0)], {1: owner(10, cwd=cwd)}, repo=repo)
    assert (port.repo, port.subdir, port.title) == ("shop", subdir, "server.js")


@pytest.mark.parametrize(
    ("address", "dual_stack", "upstream"),
    [
        ("0.0.0.0", False, "127.0.0.1:3000"),
        ("::", True, "127.0.0.1:3000"),
        ("::", False, "[::1]:3000"),
        ("::1", False, "[::1]:3000"),
        ("192.0.2.7", False, "192.0.2.7:3000"),
    ],
)
def test_where_a_port_is_dialled(address, dual_stack, upstream):
    assert one([Listener(address, 3000, 1, 0, dual_stack)], {}).upstream == upstream


def test_first_seen_stays_while_it_listens():
    earlier = NOW - timedelta(hours=1)
    before = {3000: Port(3000, ("::1",), earlier)}
    assert one([Listener("127.0.0.1", 3000, 9, 0)], {}, before=before).first_seen == earlier


addresses = st.sampled_from(["127.0.0.1", "0.0.0.0", "::1", "::"])
sockets = st.lists(st.builds(Listener, addresses, st.integers(1, 9), st.integers(1, 99), st.just(0)))


@given(sockets, sockets)
def test_changes_lead_from_one_view_to_the_next(first, second):
    old = merge(first, lambda each: None, user, lambda path: None, {}, NOW)
    new = merge(second, lambda each: None, user, lambda path: None, old, NOW + timedelta(seconds=1))
    replayed = dict(old)
    for change in changes(old, new):
        if change.kind is Kind.CLOSED:
            assert replayed.pop(change.port.port) == change.port
        else:
            assert (change.kind is Kind.OPENED) == (change.port.port not in replayed)
            replayed[change.port.port] = change.port
    assert replayed == new
    assert list(new) == sorted(new)
    assert changes(new, new) == []
