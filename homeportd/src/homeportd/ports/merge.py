"""From sockets to ports, and from one second's ports to the changes since the last. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from homeportd.ports.model import Change, Kind, Owner, Port, Program, address_order
from homeportd.ports.netlink import Listener
from homeportd.ports.title import title
from homeportd.repos.model import Repo


@dataclass(frozen=True)
class Known:
    """What is known of a listener: its owner, its user, and whether both have been looked for."""

    owner: Owner | None
    uid: int | None
    user: str | None
    settled: bool = True
    server: str | None = None  # the server of ours whose process it is


def merge(
    listeners: Iterable[Listener],
    known: Callable[[Listener], Known],
    repo_of: Callable[[Path], Repo | None],
    before: Mapping[int, Port],
    moment: datetime,
    own_uid: int,
) -> dict[int, Port]:
    """A Port for each number, in order. A port that is in `before` keeps its `first_seen`, the others get `moment`.

    Several sockets may share a number: IPv4 and IPv6, addresses, workers. Sockets on one address are those of one
    program, whose owner is the process that started first; addresses of one process or container are one program, too.
    The programs of `own_uid` come first, then those on IPv4.
    """
    by_number: dict[int, list[Listener]] = {}
    for one in listeners:
        by_number.setdefault(one.port, []).append(one)
    ports = {}
    for number in sorted(by_number):
        programs = _programs(number, by_number[number], known, repo_of)
        programs.sort(key=lambda one: (one.uid != own_uid, address_order(one.addresses[0])))
        first_seen = before[number].first_seen if number in before else moment
        ports[number] = Port(number, first_seen, tuple(programs))
    return ports


def _programs(
    number: int,
    group: Iterable[Listener],
    known: Callable[[Listener], Known],
    repo_of: Callable[[Path], Repo | None],
) -> list[Program]:
    by_address: dict[str, list[Listener]] = {}
    for one in group:
        by_address.setdefault(one.address, []).append(one)
    by_program: dict[tuple[object, ...], list[tuple[Known, list[Listener]]]] = {}
    for sockets in by_address.values():
        first = _first([known(one) for one in sockets])
        by_program.setdefault(_identity(first), []).append((first, sockets))
    programs = []
    for parts in by_program.values():
        sockets = [one for _, each in parts for one in each]
        first = _first([each for each, _ in parts])
        program = Program(
            port=number,
            addresses=tuple(sorted({one.address for one in sockets}, key=address_order)),
            inodes=frozenset(one.inode for one in sockets if one.inode is not None),
            uid=first.uid,
            user=first.user,
            dual_stack=any(one.dual_stack for one in sockets),
            settled=all(known(one).settled for one in sockets),
        )
        repos = (
            {_repo_of(each, repo_of) for each in map(known, sockets) if each.settled}
            if len(sockets) > 1
            else set()
        )
        if len(repos) > 1:  # the kernel deals connections to all of them
            first = replace(first, owner=first.owner and replace(first.owner, cwd=None))
        programs.append(_with_owner(replace(program, server=first.server), first.owner, repo_of))
    return programs


def _repo_of(known: Known, repo_of: Callable[[Path], Repo | None]) -> Path | None:
    """The path of the repo in which a listener's process runs."""
    owner = known.owner
    repo = repo_of(owner.cwd) if owner is not None and owner.cwd is not None else None
    return repo.path if repo is not None else None


def _first(found: list[Known]) -> Known:
    """Of the processes that hold sockets of one program, the one that started first."""
    readable = [(one.owner.started_at, one.owner.pid, one) for one in found if one.owner is not None]
    return min(readable, key=lambda each: each[:2])[2] if readable else found[0]


def _identity(known: Known) -> tuple[object, ...]:
    owner = known.owner
    if owner is None:
        return known.uid, None
    if owner.contained:  # a forwarder for each address
        return known.uid, "container", owner.container and owner.container.name
    return known.uid, owner.pid


def _with_owner(program: Program, owner: Owner | None, repo_of: Callable[[Path], Repo | None]) -> Program:
    if owner is None:
        return program
    repo = repo_of(owner.cwd) if owner.cwd is not None else None
    subdir = None
    if repo is not None and owner.cwd is not None:
        subdir = "" if owner.cwd == repo.path else owner.cwd.relative_to(repo.path).as_posix()
    program = replace(program, owner=owner, title=_title(owner), subdir=subdir)
    if repo is None:
        return program
    return replace(
        program,
        repo=repo.id,
        worktree=str(repo.path),
        clone=str(repo.clone) if repo.clone else str(repo.path),
        repo_uid=repo.uid,
        repo_user=repo.owner,
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
