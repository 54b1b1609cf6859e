"""Visitors for whom the listener changes between their connection and their stream."""

import asyncio
import socket

import pytest

from homeportd import clock
from homeportd.edge.listeners.tcp import TcpListener
from homeportd.edge.model import Reservation
from homeportd.edge.traffic.connection_log import ConnectionLog
from homeportd.edge.tunnel import Tunnel
from homeportd.tunnels.protocol import Kind


class Hasty(TcpListener):
    """What happens to a visitor happens before the loop has run again."""

    then = None

    def connect(self, *visitor):
        super().connect(*visitor)
        self.then()


@pytest.fixture
async def hasty(database):
    tunnel = Tunnel(
        Reservation("abc", Kind.HTTP, "app", None, None, True, clock.now()), ConnectionLog(database)
    )
    sock = socket.create_server(("127.0.0.1", 0))
    listener = tunnel.listener = Hasty(tunnel, [sock])
    await listener.start()
    yield listener
    tunnel.close()


async def test_who_comes_while_a_listener_gives_way_is_asked_to_try_again(hasty):
    hasty.then = hasty.retire
    reader, writer = await asyncio.open_connection("127.0.0.1", hasty.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: app.tunnel.localhost\r\n\r\n")
    async with asyncio.timeout(30):
        assert (await reader.read()).startswith(b"HTTP/1.1 503 ")
    writer.close()
    assert hasty.open == 0


async def test_who_comes_while_a_tunnel_closes_is_sent_away(hasty):
    hasty.then = hasty._tunnel.close
    reader, writer = await asyncio.open_connection("127.0.0.1", hasty.port)
    async with asyncio.timeout(30):
        with pytest.raises(ConnectionResetError):
            await reader.read()
    writer.close()
    assert hasty.open == 0
