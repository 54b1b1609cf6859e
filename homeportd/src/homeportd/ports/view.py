"""A port as the API shows it: the listener, its process, its repo and its share in one object."""

from typing import Final

from pydantic import BaseModel

from homeportd import clock
from homeportd.accounts import own_name
from homeportd.cautions import Kind, caution
from homeportd.origin import Origin
from homeportd.ports.model import Port, Program
from homeportd.ports.settings import Outside
from homeportd.ports.target import target
from homeportd.shares.model import Share
from homeportd.shares.view import ShareView, share_view


class ContainerView(BaseModel):
    """A container as its engine calls it; service and project where a compose file made it."""

    name: str
    service: str | None
    project: str | None


class CautionView(BaseModel):
    """A caution before the port is shared, and the command to use instead where there is one."""

    kind: Kind
    text: str
    command: str | None


class ProgramView(BaseModel):
    """One of the programs on a port. `dialled`: the address of the port leads to this one, and to no other."""

    addresses: list[str]
    pid: int | None
    started_at: str | None
    user: str | None
    foreign: bool
    command: str | None
    title: str | None
    container: ContainerView | None
    cwd: str | None
    repo: str | None
    subdir: str | None
    dialled: bool


class PortView(BaseModel):
    """A port that something listens on, or that is shared. Unknown is null.

    Several programs may listen on one number, such as on 127.0.0.1 and ::1: `programs` has each, and the fields from
    `pid` to `subdir` are those of the one that is dialled.
    `foreign`: somebody else than the agent's user runs it.
    `outside`: what listens there is not looked at, for the port is Homeport's own or in none of the ranges.
    """

    port: int
    listening: bool
    addresses: list[str]
    pid: int | None
    started_at: str | None
    user: str | None
    foreign: bool
    command: str | None
    title: str | None
    container: ContainerView | None
    cwd: str | None
    repo: str | None
    subdir: str | None
    url: str
    first_seen: str | None
    programs: list[ProgramView]
    share: ShareView
    caution: CautionView | None
    outside: Outside | None


class PortHistoryView(BaseModel):
    """When something first and last listened on a number, and the repo that it last ran in."""

    port: int
    repo: str | None
    first_seen: str
    last_seen: str


class PortClosedView(BaseModel):
    """Data of the event that nothing listens on a port any more."""

    port: int


EVENTS: Final[dict[str, type[BaseModel]]] = {
    "port.opened": PortView,
    "port.changed": PortView,
    "port.closed": PortClosedView,
}


def port_view(
    number: int, port: Port | None, share: Share | None, origin: Origin, outside: Outside | None = None
) -> PortView:
    """The view of a port; `port` None: nothing listens there now."""
    led_to = target(port, share, owner=True) if port else None
    shown = _program_view(led_to, led_to) if led_to else None
    owner = led_to.owner if led_to else None
    known = caution(number, owner.argv if owner else ())
    return PortView(
        port=number,
        listening=port is not None,
        addresses=list(port.addresses) if port else [],
        pid=shown.pid if shown else None,
        started_at=shown.started_at if shown else None,
        user=shown.user if shown else None,
        foreign=shown is not None and shown.foreign,
        command=shown.command if shown else None,
        title=shown.title if shown else None,
        container=shown.container if shown else None,
        cwd=shown.cwd if shown else None,
        repo=shown.repo if shown else None,
        subdir=shown.subdir if shown else None,
        url=origin.of_port(number),
        first_seen=clock.to_text(port.first_seen) if port else None,
        programs=[_program_view(one, led_to) for one in port.programs] if port else [],
        share=share_view(number, share, origin),
        caution=CautionView(kind=known.kind, text=known.text, command=known.command) if known else None,
        outside=outside,
    )


def _program_view(program: Program, led_to: Program | None) -> ProgramView:
    owner, container = program.owner, program.owner.container if program.owner else None
    return ProgramView(
        addresses=list(program.addresses),
        pid=owner.pid if owner else None,
        started_at=clock.to_text(owner.started_at) if owner else None,
        user=program.user,
        foreign=program.user is not None and program.user != own_name(),
        command=" ".join(owner.argv) if owner else None,
        title=program.title,
        container=ContainerView(**vars(container)) if container else None,
        cwd=str(owner.cwd) if owner and owner.cwd else None,
        repo=program.repo,
        subdir=program.subdir,
        dialled=program is led_to,
    )
