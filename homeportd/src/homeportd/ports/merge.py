"""From sockets to ports, and from one second's ports to the changes since the last. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from homeportd.ports.model import Change, Kind, Owner, Port
from homeportd.ports.netlink import Listener
from homeportd.ports.title import title
from homeportd.repos.model import Repo


def merge(
    listeners: Iterable[Listener],
    owner_of: Callable[[Listener], Owner | None],
    user_of: Callable[[Listener], str | None],
    repo_of: Callable[[Path], Repo | None],
    before: Mapping[int, Port],
    moment: datetime,
) -> dict[int, Port]:
    """A Port for each number, in order. A port that is in `before` keeps its `first_seen`, the others get `moment`.

    Several sockets may share a number: IPv4 and IPv6, addresses, workers. The owner is that of the socket
    which `Port.upstream` dials, and of several such the process that started first. Where none has a known owner, the
    user is that of the socket which is dialled.
    """
    by_number: dict[int, list[Listener]] = {}
    for one in listeners:
        by_number.setdefault(one.port, []).append(one)
    ports = {}
    for number in sorted(by_number):
        group = by_number[number]
        addresses = tuple(sorted({one.address for one in group}, key=_address_order))
        port = Port(
            port=number,
            addresses=addresses,
            first_seen=before[number].first_seen if number in before else moment,
            dual_stack=any(one.dual_stack for one in group),
        )
        owner = _owner(group, owner_of)
        dialled = min(group, key=lambda one: _address_order(one.address))
        user = owner.user if owner is not None else user_of(dialled)
        ports[number] = _with_owner(replace(port, user=user), owner, repo_of)
    return ports


def _address_order(address: str) -> tuple[bool, str]:
    return ":" in address, address


def _owner(group: Iterable[Listener], owner_of: Callable[[Listener], Owner | None]) -> Owner | None:
    known = [(_address_order(one.address), owner) for one in group if (owner := owner_of(one)) is not None]
    known.sort(key=lambda pair: (pair[0], pair[1].started_at, pair[1].pid))
    return known[0][1] if known else None


def _with_owner(port: Port, owner: Owner | None, repo_of: Callable[[Path], Repo | None]) -> Port:
    if owner is None:
        return port
    repo = repo_of(owner.cwd) if owner.cwd is not None else None
    subdir = None
    if repo is not None and owner.cwd is not None:
        subdir = "" if owner.cwd == repo.path else owner.cwd.relative_to(repo.path).as_posix()
    return replace(
        port,
        owner=owner,
        title=_title(owner),
        repo=repo.id if repo is not None else None,
        subdir=subdir,
    )


def _title(owner: Owner) -> str | None:
    if owner.container is not None:
        return owner.container.service or owner.container.name
    return title(owner.argv, owner.cwd)


def changes(before: Mapping[int, Port], after: Mapping[int, Port]) -> list[Change]:
    """The changes between two views, by port number."""
    found = []
    for number in sorted(before.keys() | after.keys()):
        old, new = before.get(number), after.get(number)
        if new is None and old is not None:
            found.append(Change(Kind.CLOSED, old))
        elif new is not None and old is None:
            found.append(Change(Kind.OPENED, new))
        elif new is not None and new != old:
            found.append(Change(Kind.CHANGED, new))
    return found
