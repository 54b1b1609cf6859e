"""The publisher of a workstation's events: ports, shares, repos, accesses."""

from __future__ import annotations

from typing import Any

from homeportd.events import Events
from homeportd.origin import Origin
from homeportd.ports import view as ports_view
from homeportd.ports.model import Change, Port
from homeportd.ports.service import Ports
from homeportd.ports.view import port_view
from homeportd.repos import view as repos_view
from homeportd.repos.service import Repos
from homeportd.repos.view import repo_views
from homeportd.shares import view as shares_view
from homeportd.shares.access import Access, AccessLog
from homeportd.shares.model import Share
from homeportd.shares.service import Shares
from homeportd.shares.view import access_view, share_view


class EventPublisher:
    """Subscribes to the rooms at once."""

    def __init__(
        self,
        events: Events,
        ports: Ports,
        shares: Shares,
        repos: Repos,
        log: AccessLog,
        origin: Origin,
    ) -> None:
        self._events = events
        self._ports = ports
        self._shares = shares
        self._repos = repos
        self._origin = origin
        for views in (ports_view.EVENTS, shares_view.EVENTS, repos_view.EVENTS):
            events.declare(views)
        ports.changed.subscribe(self._port_changed)
        shares.changed.subscribe(self._share_changed)
        shares.paused.subscribe(self._share_paused)
        repos.changed.subscribe(self._repos_changed)
        log.appended.subscribe(self._accessed)

    def _port_changed(self, change: Change) -> None:
        number = change.port.port
        if change.kind == "closed":
            self._events.publish("port.closed", {"port": number})
            return
        self._events.publish(f"port.{change.kind}", self._port(change.port))

    def _share_changed(self, port: int, share: Share | None) -> None:
        del share  # one that an earlier subscriber has paused meanwhile is told as it is now
        self._events.publish("share.changed", self._share(port))
        found = self._ports.get(port)
        if found is not None and len(found.programs) > 1:  # it may lead to another of them
            self._events.publish("port.changed", self._port(found))

    def _share_paused(self, share: Share) -> None:
        kind = "share.resumed" if share.paused is None else "share.paused"
        self._events.publish(kind, self._share(share.port))

    def _share(self, port: int) -> dict[str, Any]:
        return {"port": port, "share": share_view(port, self._shares.get(port), self._origin).model_dump()}

    def _port(self, port: Port) -> dict[str, Any]:
        return port_view(port.port, port, self._shares.get(port.port), self._origin).model_dump()

    def _repos_changed(self) -> None:
        views = repo_views(self._repos.all(), self._ports.repos_of_ports())
        self._events.publish("repos.changed", {"repos": [view.model_dump() for view in views]})

    def _accessed(self, access: Access) -> None:
        if self._events.watched:
            data: dict[str, Any] = {"port": access.port, **access_view(access).model_dump()}
            self._events.show("access", data)

    async def refresh_dirty(self) -> None:
        """Look for uncommitted changes, while a dashboard shows them."""
        if self._events.watched:
            await self._repos.refresh_dirty()
