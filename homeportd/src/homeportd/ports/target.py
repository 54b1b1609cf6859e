"""The program that a port leads to, for its owner and for visitors of its share. Pure."""

from __future__ import annotations

from homeportd.ports.model import Port, Program
from homeportd.shares.binding import ROOT, Binding
from homeportd.shares.model import Mode, Share


def target(port: Port, share: Share | None, *, owner: bool) -> Program | None:
    """The program to dial; None where none of them is what the share was made for.

    `owner`: the owner asks, who is led to what listens there even then; the list says whose it is.
    """
    if share is None or share.mode is Mode.PRIVATE:
        return port.programs[0]
    fitting = _fitting(port, share.binding)
    if fitting is None and owner:
        return port.programs[0]
    return fitting


def _fitting(port: Port, binding: Binding | None) -> Program | None:
    if binding is None:
        return None
    if len(port.programs) == 1:
        only = port.programs[0]
        return only if binding.fits(only.uid, only.clone, only.server) else None
    fitting = [one for one in port.programs if binding.fits(one.uid, one.clone, one.server)]
    # What listened first stays, whoever joins it.
    fitting.sort(key=lambda one: (one.worktree != binding.worktree, one.owner is None, one.started))
    return fitting[0] if fitting else None


def binding_of(program: Program) -> Binding:
    """The binding of a share that is made for a program."""
    contained = program.owner is not None and program.owner.contained
    # A container of a repo runs as root, and the same server without one as the person whose repo it is.
    person = contained and program.uid == ROOT and program.repo_uid is not None
    return Binding(
        uid=program.repo_uid if person else program.uid,
        user=program.repo_user if person else program.user,
        repo=program.clone,
        worktree=program.worktree,
        server=program.server,
    )
