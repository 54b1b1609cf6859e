"""The publisher of the events of servers."""

from __future__ import annotations

from homeportd.events import Events
from homeportd.origin import Origin
from homeportd.servers.model import Server
from homeportd.servers.service import Servers
from homeportd.servers.view import EVENTS, server_view


def publish_servers(events: Events, servers: Servers, origin: Origin) -> None:
    """Publish each change of a server from now on, the end of one that crashed too."""

    def changed(server: Server) -> None:
        repo = servers.repo_of(server)
        events.publish("server", server_view(server, repo.id if repo else None, origin).model_dump())

    events.declare(EVENTS)
    servers.changed.subscribe(changed)
