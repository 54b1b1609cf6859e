"""Visitors of TCP and HTTP tunnels: a stream of the edge joined with a connection to the local server."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final

from homeportd.tunnels.protocol import MAX_INTRODUCTION, BadMessage, Introduction, Kind, introduction
from homeportd.tunnels.resolver import look_up
from homeportd.tunnels.tunnel import Tunnel
from homeportd.tunnels.udp import Datagrams
from homeportd.yamux.bridge import Bridge
from homeportd.yamux.errors import YamuxError
from homeportd.yamux.stream import Stream

INTRODUCTION_S: Final = 10.0  # seconds for the first bytes of a stream
DIAL_S: Final = 10.0  # seconds for one host of the local server

_log = logging.getLogger(__name__)


class Connection(Bridge):
    """A bridge that tells its tunnel when it is over. The stream counts; nothing is done for a byte here."""

    def __init__(self, stream: Stream, tunnel: Tunnel, introduced: int) -> None:
        super().__init__(stream)
        self._tunnel = tunnel
        self._introduced = introduced  # bytes of the stream that are no payload

    @property
    def bytes_in(self) -> int:
        """From the visitor."""
        return self.stream.bytes_received - self._introduced

    @property
    def bytes_out(self) -> int:
        """To the visitor."""
        return self.stream.bytes_sent

    def ended(self, error: YamuxError | None) -> None:
        super().ended(error)
        self._tunnel.leave(self)


async def receive(stream: Stream, find: Callable[[str], Awaitable[Tunnel | None]]) -> None:
    """Serve one stream that the edge opened. Returns when it is joined; never raises but for being cancelled."""
    try:
        async with asyncio.timeout(INTRODUCTION_S):
            size = int.from_bytes(await stream.readexactly(2), "big")
            if not 0 < size <= MAX_INTRODUCTION:
                raise BadMessage(f"an introduction of {size} bytes")
            said = introduction(await stream.readexactly(size))
            tunnel = await find(said.tunnel)
        if tunnel is None:
            raise BadMessage(f"a visitor for tunnel {said.tunnel!r}, which is not ours")
        await _join(stream, tunnel, said, 2 + size)
    except (YamuxError, asyncio.IncompleteReadError, TimeoutError, BadMessage) as error:
        _log.debug("stream %d: %s", stream.id, error)
        stream.reset()
    except Exception:
        _log.exception("a visitor could not be served")
        stream.reset()
    except BaseException:
        stream.reset()
        raise


async def _join(stream: Stream, tunnel: Tunnel, said: Introduction, head: int) -> None:
    if tunnel.spec.kind is Kind.UDP:
        await Datagrams.begin(stream, tunnel)
        return
    visit = Connection(stream, tunnel, head)
    tunnel.arrive(visit)
    why = "no address"
    for address in tunnel.addresses():
        try:
            async with asyncio.timeout(DIAL_S):
                await _dial(visit, address, tunnel)
        except OSError as error:  # a time-out is one, too
            why = str(error) or "time-out"
            continue
        except BaseException:
            tunnel.leave(visit)
            raise
        tunnel.answered(address)
        return
    tunnel.failed += 1
    tunnel.leave(visit)
    stream.reset()  # before any byte: the edge shows its page about it
    if tunnel.warnings.take(monotonic()):
        _log.warning("%s: visitor %s turned away: %s", tunnel.spec.target, said.address, why)


async def _dial(visit: Connection, host: str, tunnel: Tunnel) -> None:
    """Join the visitor with the first address of the host that answers."""
    source = (tunnel.spec.source, 0) if tunnel.spec.source else None
    loop, failure = asyncio.get_running_loop(), OSError("no address")
    for *_, address in await look_up(host, tunnel.target.port, socket.SOCK_STREAM):
        try:
            await loop.create_connection(lambda: visit, address[0], address[1], local_addr=source)
        except OSError as error:
            failure = error
            continue
        return
    raise failure
