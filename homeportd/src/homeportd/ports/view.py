"""A port as the API shows it: the listener, its process, its repo and its share in one object."""

from typing import Final

from pydantic import BaseModel

from homeportd import clock
from homeportd.accounts import own_name
from homeportd.cautions import Kind, caution
from homeportd.origin import Origin
from homeportd.ports.model import Port
from homeportd.ports.settings import Outside
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


class PortView(BaseModel):
    """A port that something listens on, or that is shared. Unknown is null.

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
    share: ShareView
    caution: CautionView | None
    outside: Outside | None


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
    owner = port.owner if port else None
    container = owner.container if owner else None
    user = port.user if port else None
    known = caution(number, owner.argv if owner else ())
    return PortView(
        port=number,
        listening=port is not None,
        addresses=list(port.addresses) if port else [],
        pid=owner.pid if owner else None,
        started_at=clock.to_text(owner.started_at) if owner else None,
        user=user,
        foreign=user is not None and user != own_name(),
        command=" ".join(owner.argv) if owner else None,
        title=port.title if port else None,
        container=ContainerView(**vars(container)) if container else None,
        cwd=str(owner.cwd) if owner and owner.cwd else None,
        repo=port.repo if port else None,
        subdir=port.subdir if port else None,
        url=origin.of_port(number),
        first_seen=clock.to_text(port.first_seen) if port else None,
        share=share_view(number, share, origin),
        caution=CautionView(kind=known.kind, text=known.text, command=known.command) if known else None,
        outside=outside,
    )
