"""Who is connected: admits links by token, joins them to clients, replaces tokens, cuts what was revoked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from homeportd import clock
from homeportd.auth.model import Scope, Token
from homeportd.auth.service import Auth
from homeportd.edge.connections.client import Client
from homeportd.edge.connections.link import Link
from homeportd.edge.model import Refused
from homeportd.settings import EdgeSettings
from homeportd.tunnels import protocol
from homeportd.tunnels.protocol import Refusal

MAX_CLIENTS = 4096


def revoked() -> Refused:
    """A new one each time: an exception that is raised again keeps the frames of every time, and all they hold."""
    return Refused(
        Refusal.TOKEN,
        "the token is unknown, revoked, or not for tunnels",
        "make one for tunnels on the edge (homeport token create NAME --scope tunnel), then homeport init",
    )


@dataclass(frozen=True)
class _Successor:
    token: Token
    secret: str
    until: datetime


class Links:
    """All clients and their links; `on_gone(client)` is called when a client's last link was lost."""

    def __init__(
        self,
        settings: EdgeSettings,
        auth: Auth,
        on_gone: Callable[[Client], None],
        on_change: Callable[[Client], None],
    ) -> None:
        self._settings = settings
        self._auth = auth
        self._on_gone = on_gone
        self._on_change = on_change
        self._clients: dict[tuple[str, str], Client] = {}
        self._links: set[Link] = set()
        # Secrets of tokens that replaced others, kept in memory until the others end: for clients still away.
        self._successors: dict[str, _Successor] = {}
        self._farewells: set[asyncio.Task[None]] = set()
        auth.revoked.subscribe(self.cut_revoked)
        auth.rotated.subscribe(self._replace)

    def __len__(self) -> int:
        return len(self._links)

    @property
    def clients(self) -> list[Client]:
        """Everyone who has a link."""
        return list(self._clients.values())

    def admit(self, hello: protocol.Hello) -> Token:
        """The token behind a hello. Raises Refused."""
        token = self._auth.token(hello.token, Scope.TUNNEL)
        if token is None:
            raise revoked()
        return token

    def join(self, link: Link, hello: protocol.Hello) -> tuple[Client, protocol.Welcome]:
        """Make the link part of its client, in place of an older one of the same number. Raises Refused."""
        assert link.token is not None  # noqa: S101 - admitted just before
        key = (link.token.lineage, hello.run)
        client = self._clients.get(key)
        if client is None:
            if len(self._clients) >= MAX_CLIENTS:
                raise Refused(
                    Refusal.LIMIT, f"{MAX_CLIENTS} clients are connected", "end one that is not used"
                )
            client = self._clients[key] = Client(link.token.lineage, hello.run, hello.client)
        before = client.links.get(link.number)
        client.links[link.number] = link
        self._links.add(link)
        if before is not None:
            before.session.abort("a newer connection took its place")
        edge, ends = self._settings, link.token.expires_at
        welcome = protocol.Welcome(
            edge=edge.base,
            url=edge.url,
            host=edge.host,
            tcp_ports=edge.tcp_ports,
            udp_ports=edge.udp_ports,
            time=clock.to_text(clock.now()),
            token_ends=None if ends is None else clock.to_text(ends),
        )
        return client, welcome

    def greeted(self, link: Link) -> None:
        """Give a client that comes with a replaced token the new one."""
        if link.client is not None:
            if link.client.tunnels:
                self._on_change(link.client)
            self._offer(link)

    def leave(self, link: Link) -> None:
        """The link is gone; it alone, while its client has another."""
        self._links.discard(link)
        client = link.client
        if client is None or client.links.get(link.number) is not link:
            return
        del client.links[link.number]
        if client.links:
            self._on_change(client)
        else:
            self._clients.pop((client.lineage, client.run), None)
            self._on_gone(client)

    def rotated(self, link: Link) -> None:
        """The client has the new token: all its links live by that one from now on."""
        if link.token is None or link.client is None:
            return
        old = link.token.id
        successor = self._successors.get(old)
        if successor is None:
            return
        for other in link.client.links.values():
            if other.token is not None and other.token.id == old:
                other.token = successor.token
        self._offer(link)  # it may have been replaced as well meanwhile

    def cut_revoked(self) -> None:
        """End links whose token holds no more."""
        for link in [
            link for link in self._links if link.token and not self._auth.token_alive(link.token.id)
        ]:
            self._links.discard(link)
            self._spawn(link)
        now = clock.now()
        self._successors = {id_: item for id_, item in self._successors.items() if item.until > now}

    def _spawn(self, link: Link) -> None:
        task = asyncio.get_running_loop().create_task(link.end(revoked()))
        self._farewells.add(task)
        task.add_done_callback(self._farewells.discard)

    def _replace(self, old: Token, new: Token, secret: str) -> None:
        if old.scope is not Scope.TUNNEL or old.expires_at is None:
            return
        self._successors[old.id] = _Successor(new, secret, old.expires_at)
        for client in self._clients.values():
            for link in client.links.values():
                if link.token is not None and link.token.id == old.id:
                    self._offer(link)
                    break  # one link of each client is told

    def _offer(self, link: Link) -> None:
        successor = self._successors.get(link.token.id) if link.token is not None else None
        if successor is not None:
            left = int((successor.until - clock.now()).total_seconds())
            link.tell(protocol.Rotate(token=successor.secret, grace_s=max(0, left)))

    async def close(self) -> None:
        """End every link."""
        for link in list(self._links):
            link.session.abort("the edge stops")
        for task in self._farewells:
            task.cancel()
        await asyncio.gather(*self._farewells, return_exceptions=True)
