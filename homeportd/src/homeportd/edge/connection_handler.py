"""The handler of clients' connections: takes their messages and calls the service, as `api.py` does for HTTP."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from typing import Final

from homeportd.edge.connections.admission import PendingConnection
from homeportd.edge.connections.client import Client
from homeportd.edge.connections.link import Link, refused_message
from homeportd.edge.connections.links import Links
from homeportd.edge.model import Refused
from homeportd.edge.service import Tunnels
from homeportd.tasks import TaskSet
from homeportd.tunnels import protocol
from homeportd.tunnels.protocol import Refusal
from homeportd.yamux.aio import Session
from homeportd.yamux.errors import YamuxError

# Before a wrong token is answered: with few pending connections of one address, guesses are few.
WRONG_TOKEN_S: Final = 1.0

_log = logging.getLogger(__name__)


class ConnectionHandler:
    """Serves links: admits a token, joins the link to its client, carries out what the client asks for."""

    def __init__(self, links: Links, tunnels: Tunnels) -> None:
        self._links = links
        self._tunnels = tunnels

    async def serve(self, session: Session, address: str, pending: PendingConnection) -> None:
        """Serve one connection until it is gone. `pending` is left when its token is known.

        Raises nothing but CancelledError.
        """
        link = Link(session, address)
        try:
            await self._serve(link, pending)
        except Refused as refusal:
            await link.end(refusal)
        except (YamuxError, ValueError, TimeoutError) as error:
            # A peer that is gone, sends no line end, or nothing at all.
            _log.debug("link from %s: %s", address, error)
        except Exception:
            _log.exception("a link from %s failed", address)
        finally:
            pending.leave()
            self._leave(link)
            session.abort()

    async def _serve(self, link: Link, pending: PendingConnection) -> None:
        hello = await link.receive_hello()
        try:
            link.token = self._links.admit(hello)
        except Refused:
            await asyncio.sleep(WRONG_TOKEN_S)
            raise
        pending.leave()
        client, welcome = self._links.join(link, link.token, hello)
        link.tell(welcome)
        self._tunnels.links_changed(client)
        self._links.offer_successor(link)
        async with TaskSet() as tasks:
            tasks.spawn(_refuse_streams(link.session), "surplus streams")
            while (message := await link.receive()) is not None:
                await self._take(link, client, message)

    async def _take(self, link: Link, client: Client, message: object) -> None:
        match message:
            case protocol.Open():
                try:
                    link.tell(await self._tunnels.open(client, message))
                except Refused as refusal:
                    link.tell(refused_message(refusal, message.request))
                except sqlite3.Error as error:
                    # A full disk, most likely, which must not cost the client its other tunnels.
                    _log.warning("what a client asks for could not be kept: %s", error)
                    link.tell(refused_message(_not_written(error), message.request))
            case protocol.Close(tunnel=tunnel_id, forget=forget):
                try:
                    await self._tunnels.close_for(client, tunnel_id, forget=forget)
                except sqlite3.Error as error:
                    _log.warning("a tunnel that was closed could not be removed: %s", error)
            case protocol.Rotated():
                self._links.rotated(link)
            case _:
                raise Refused(Refusal.BAD, "a second hello on one link", "say hello once")

    def _leave(self, link: Link) -> None:
        client = self._links.leave(link)
        if client is None:
            return
        if client.links:
            self._tunnels.links_changed(client)
        else:
            self._tunnels.client_lost(client)


async def _refuse_streams(session: Session) -> None:
    """Reset what the client opens besides its control stream: visitors' streams are opened by the edge."""
    async for stream in session:
        stream.reset()


def _not_written(error: sqlite3.Error) -> Refused:
    return Refused(
        Refusal.LIMIT, f"the edge cannot keep it: {error}", "its owner has to make room on its disk"
    )
