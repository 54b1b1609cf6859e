"""From sockets to ports."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeportd.ports.merge import Known, changes, merge
from homeportd.ports.model import Container, Kind, Owner, Port, Program
from homeportd.ports.netlink import Listener
from homeportd.repos.model import Repo

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def owner(pid, *, started=0, cwd="/srv/shop/web", argv=("node", "server.js")):
    return Owner(pid, NOW + timedelta(seconds=started), "ada", argv, Path(cwd) if cwd else None)


OWN = 1000  # the agent's uid


def port_of(listeners, owners, *, repo=None, before=None):
    def known(each):
        return Known(owners.get(each.inode), each.uid, f"uid {each.uid}")

    found = merge(listeners, known, lambda path: repo, before or {}, NOW, OWN)
    assert len(found) == 1
    return next(iter(found.values()))


def one(listeners, owners, **options):
    """The one program of a port."""
    [program] = port_of(listeners, owners, **options).programs
    return program


def test_sockets_of_one_process_on_one_number_are_one_program():
    v6, v4 = Listener("::1", 3000, 2, 1000), Listener("127.0.0.1", 3000, 1, 1000)
    program = one([v6, v4], {1: owner(10), 2: owner(10)})
    assert program.addresses == ("127.0.0.1", "::1")
    assert program.inodes == {1, 2}
    assert program.upstream == "127.0.0.1:3000"


def test_each_program_on_a_number_has_its_own_owner_and_address():
    v6, v4 = Listener("::1", 3000, 2, 1000), Listener("127.0.0.1", 3000, 1, 1001)
    port = port_of([v6, v4], {1: owner(10), 2: owner(20)})
    assert port.addresses == ("127.0.0.1", "::1")
    seen = [(each.owner.pid, each.user, each.upstream) for each in port.programs]
    assert seen == [(20, "uid 1000", "[::1]:3000"), (10, "uid 1001", "127.0.0.1:3000")]


def test_programs_of_two_repos_that_share_an_address_are_in_none():
    """By SO_REUSEPORT: each connection may reach the one or the other."""
    both = [Listener("127.0.0.1", 3000, 1, 1000), Listener("127.0.0.1", 3000, 2, 1000)]
    owners = {1: owner(10, cwd="/srv/shop"), 2: owner(20, cwd="/srv/blog")}

    def known(each):
        return Known(owners[each.inode], each.uid, "ada")

    def repo_of(path):
        return Repo(path.name, path.name, path)

    [program] = merge(both, known, repo_of, {}, NOW, OWN)[3000].programs
    assert (program.repo, program.clone, program.inodes) == (None, None, {1, 2})


def test_forwarders_of_one_container_are_one_program():
    shop = Container("shop")
    forwarders = [
        Owner(pid, NOW, "root", ("docker-proxy",), None, contained=True, container=shop) for pid in (7, 8)
    ]
    both = [Listener("0.0.0.0", 3000, 1, 0), Listener("::", 3000, 2, 0)]
    assert one(both, dict(enumerate(forwarders, start=1))).addresses == ("0.0.0.0", "::")


def test_of_workers_on_one_address_the_first_one_owns():
    workers = [Listener("0.0.0.0", 3000, inode, 1000) for inode in (1, 2, 3)]
    port = one(workers, {1: owner(30, started=3), 2: owner(20, started=1), 3: owner(10, started=2)})
    assert port.addresses == ("0.0.0.0",)
    assert port.owner.pid == 20


def test_an_unreadable_socket_does_not_hide_a_readable_one():
    both = [Listener("127.0.0.1", 3000, 1, 0), Listener("::1", 3000, 2, 1000)]
    assert [each.owner and each.owner.pid for each in port_of(both, {2: owner(20)}).programs] == [20, None]


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
    before = {3000: Port(3000, earlier, (Program(3000, ("::1",)),))}
    assert port_of([Listener("127.0.0.1", 3000, 9, 0)], {}, before=before).first_seen == earlier


addresses = st.sampled_from(["127.0.0.1", "0.0.0.0", "::1", "::"])
sockets = st.lists(st.builds(Listener, addresses, st.integers(1, 9), st.integers(1, 99), st.just(0)))


@given(sockets, sockets)
def test_changes_lead_from_one_view_to_the_next(first, second):
    def known(each):
        return Known(None, each.uid, None)

    old = merge(first, known, lambda path: None, {}, NOW, OWN)
    new = merge(second, known, lambda path: None, old, NOW + timedelta(seconds=1), OWN)
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
