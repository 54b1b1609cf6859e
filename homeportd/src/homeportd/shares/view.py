"""A share and its log rows as the API shows them."""

from typing import Final, Literal

from pydantic import BaseModel

from homeportd import clock
from homeportd.origin import Origin
from homeportd.shares.access import Access
from homeportd.shares.model import LOCALHOST, Decision, Share


class BindingView(BaseModel):
    """What a share was made for: the servers in a working tree and its worktrees, or else those of a user."""

    user: str | None
    repo: str | None


class ShareView(BaseModel):
    """The share of a port. `generation` 0: the port was never shared, so it is private.

    `subdomains`: names one label below that of `url` lead there too. `bound_to`: what it was made for; null as long
    as nothing has listened there. `paused`: why it lets in nobody but the owner, though it stands: something else
    listens there.
    """

    port: int
    url: str
    mode: Literal["private", "password", "public"]
    expires_at: str | None
    expired: bool
    allow: list[str]
    max_uses: int | None
    uses: int
    host_header: str
    subdomains: bool
    generation: int
    updated_at: str | None
    bound_to: BindingView | None
    paused: str | None


class AccessView(BaseModel):
    """A row of the access log."""

    id: int
    time: str
    address: str
    user_agent: str
    method: str
    path: str
    decision: Decision


class ShareChangedView(BaseModel):
    """Data of the event that a port was shared, its share changed, or ended."""

    port: int
    share: ShareView


class SharePausedView(BaseModel):
    """Data of the events that a share was paused, and that it goes on."""

    port: int
    share: ShareView


class AccessEventView(AccessView):
    """Data of the event that a visitor was let in or refused; `id` is 0, since the row is not on disk yet."""

    port: int


EVENTS: Final[dict[str, type[BaseModel]]] = {
    "share.changed": ShareChangedView,
    "share.paused": SharePausedView,
    "share.resumed": SharePausedView,
    "access": AccessEventView,
}


def share_view(port: int, share: Share | None, origin: Origin) -> ShareView:
    """The share of a port, or what holds without one."""
    url = origin.of_port(port)
    if share is None:
        return ShareView(
            port=port,
            url=url,
            mode="private",
            expires_at=None,
            expired=False,
            allow=[],
            max_uses=None,
            uses=0,
            host_header=LOCALHOST,
            subdomains=False,
            generation=0,
            updated_at=None,
            bound_to=None,
            paused=None,
        )
    return ShareView(
        port=port,
        url=url,
        mode=share.mode.value,
        expires_at=clock.to_text(share.expires_at),
        expired=share.expired(clock.now()),
        allow=[str(network) for network in share.allow],
        max_uses=share.max_uses,
        uses=share.uses,
        host_header=share.host_header,
        subdomains=share.subdomains,
        generation=share.generation,
        updated_at=clock.to_text(share.updated_at),
        bound_to=BindingView(user=share.binding.user, repo=share.binding.worktree) if share.binding else None,
        paused=share.paused,
    )


def access_view(access: Access) -> AccessView:
    """A row of the access log as the API shows it."""
    return AccessView(
        id=access.id,
        time=access.time,
        address=access.address,
        user_agent=access.user_agent,
        method=access.method,
        path=access.path,
        decision=access.decision,
    )
