"""The links of all clients: admits them by token, joins them to clients, replaces tokens, ends what was revoked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from homeportd import clock
from homeportd.auth.model import Scope, Token
from homeportd.auth.service import Auth
from homeportd.edge.connections.client import Client
from homeportd.edge.connections.link import Link
from homeportd.edge.model import Refused
from homeportd.edge.settings import EdgeSettings
from homeportd.tasks import TaskSet
from homeportd.tunnels import protocol
from homeportd.tunnels.protocol import Refusal

MAX_CLIENTS = 4096


def revoked() -> Refused:
    """The refusal of a token. A new one each time: an exception that is raised again keeps all its frames."""
    return Refused(
        Refusal.TOKEN,
        "the token is unknown, revoked, or not for tunnels",
        "make one for tunnels on the edge (homeport token create NAME --scope tunnel), then homeport init",
    )


@dataclass(frozen=True)
class _Successor:
    """The token that replaces another, which holds `until` then."""

    token: Token
    secret: str
    until: datetime


class Links:
    """All clients and their links."""

    def __init__(self, settings: EdgeSettings, auth: Auth) -> None:
        self._settings = settings
        self._auth = auth
        self._clients: dict[tuple[str, str], Client] = {}  # by token lineage and run
        self._links: dict[Link, Client] = {}
        self._revoked: set[Link] = set()  # links that are being ended
        # Secrets of tokens that replaced others, kept in memory until the others end: for clients still away.
        self._successors: dict[str, _Successor] = {}
        self._endings = TaskSet()
        auth.revoked.subscribe(self._end_revoked)
        auth.rotated.subscribe(self._replace)

    def __len__(self) -> int:
        """Number of links."""
        return len(self._links)

    @property
    def clients(self) -> list[Client]:
        """Every client that has a link."""
        return list(self._clients.values())

    def admit(self, hello: protocol.Hello) -> Token:
        """The token behind a hello. Raises Refused."""
        token = self._auth.token(hello.token, Scope.TUNNEL)
        if token is None:
            raise revoked()
        return token

    def join(self, link: Link, token: Token, hello: protocol.Hello) -> tuple[Client, protocol.Welcome]:
        """Make the link part of its client; an older link of the same number is ended. Raises Refused."""
        key = (token.lineage, hello.run)
        client = self._clients.get(key)
        if client is None:
            if len(self._clients) >= MAX_CLIENTS:
                raise Refused(
                    Refusal.LIMIT, f"{MAX_CLIENTS} clients are connected", "end one that is not used"
                )
            client = self._clients[key] = Client(token.lineage, hello.run, hello.client)
        before = client.links.get(link.number)
        client.links[link.number] = link
        self._links[link] = client
        if before is not None:
            before.session.abort("a newer connection of the same number has replaced it")
        edge, ends = self._settings, token.expires_at
        welcome = protocol.Welcome(
            edge=edge.base,
            url=edge.url,
            host=edge.host,
            tcp_ports=edge.tcp_ports,
            udp_ports=edge.udp_ports,
            time=clock.to_text(clock.now()),
            token_ends=clock.to_text(ends),
        )
        return client, welcome

    def leave(self, link: Link) -> Client | None:
        """Forget a link that is gone; its client, which may have others, or None when the link was replaced."""
        self._revoked.discard(link)
        client = self._links.pop(link, None)
        if client is None or client.links.get(link.number) is not link:
            return None
        del client.links[link.number]
        if not client.links:
            self._clients.pop((client.lineage, client.run), None)
        return client

    def rotated(self, link: Link) -> None:
        """The client has stored its new token: all its links hold by that one from now on."""
        client = self._links.get(link)
        if link.token is None or client is None:
            return
        old = link.token.id
        successor = self._successors.get(old)
        if successor is None:
            return
        for other in client.links.values():
            if other.token is not None and other.token.id == old:
                other.token = successor.token
        self.offer_successor(link)  # it may have been replaced as well meanwhile

    def offer_successor(self, link: Link) -> None:
        """Send the new token to a client whose token has been replaced."""
        successor = self._successors.get(link.token.id) if link.token is not None else None
        if successor is not None:
            left = int((successor.until - clock.now()).total_seconds())
            link.tell(protocol.Rotate(token=successor.secret, grace_s=max(0, left)))

    def _end_revoked(self) -> None:
        for link in self._links.keys() - self._revoked:
            if link.token is not None and not self._auth.token_alive(link.token.id):
                self._revoked.add(link)
                self._endings.spawn(link.end(revoked()), "a link of a revoked token")
        now = clock.now()
        self._successors = {id_: item for id_, item in self._successors.items() if item.until > now}

    def _replace(self, old: Token, new: Token, secret: str) -> None:
        if old.scope is not Scope.TUNNEL or old.expires_at is None:
            return
        self._successors[old.id] = _Successor(new, secret, old.expires_at)
        for client in self._clients.values():
            for link in client.links.values():
                if link.token is not None and link.token.id == old.id:
                    self.offer_successor(link)
                    break  # one link of each client is enough

    async def close(self) -> None:
        """End every link."""
        for link in list(self._links):
            link.session.abort("the edge stops")
        await self._endings.close()
