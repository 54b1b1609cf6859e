"""The protocol that a program on a port speaks, found out when the port is first asked for, and never before.

The first request to a socket goes by the relay, as plain HTTP. A server that answers it as such has seen nothing but
that request. Where the answer is no HTTP, or one that TLS servers give to plain requests, TLS and HTTP/2 are tried.
"""

from __future__ import annotations

from collections import OrderedDict
from enum import StrEnum
from typing import Final, TypeVar

from homeportd.ports.model import Program
from homeportd.tunnels import probes, trust

MAX_KNOWN: Final = 512  # programs
TRY_S: Final = 2.0  # for one protocol
_Key = tuple[str, frozenset[int]]  # upstream, and the inodes of its sockets
Found = TypeVar("Found")


class Protocol(StrEnum):
    """A protocol; the values of the first three are schemes for Caddy."""

    HTTP = "http"
    HTTPS = "https"
    H2C = "h2c"  # HTTP/2 without TLS and by prior knowledge, as gRPC servers speak it
    OTHER = "other"


class Protocols:
    """What has been found out about each program, as long as its sockets are the same ones."""

    def __init__(self) -> None:
        self._known: OrderedDict[_Key, Protocol] = OrderedDict()
        self._h2c: OrderedDict[_Key, bool] = OrderedDict()
        self.context = trust.server_context(verified=False)
        self.learned = 0  # how often anything was

    def of(self, program: Program) -> Protocol | None:
        """The protocol of a program; None as long as nobody has asked it for anything."""
        return self._known.get((program.upstream, program.inodes))

    def learn(self, program: Program, protocol: Protocol) -> None:
        """Remember the protocol of a program."""
        if self.of(program) is not protocol:
            self.learned += 1
            _keep(self._known, program, protocol)

    def h2c(self, program: Program) -> bool | None:
        """Whether a program speaks HTTP/2 in clear, perhaps beside HTTP/1.1; None as long as it was not tried."""
        return self._h2c.get((program.upstream, program.inodes))

    async def try_h2c(self, program: Program) -> bool:
        """Try whether a program speaks HTTP/2 in clear; at most TRY_S."""
        found = await probes.speaks_http2(*program.dialled, TRY_S)
        _keep(self._h2c, program, found)
        return found

    async def find(self, program: Program) -> Protocol:
        """The protocol of a program that has not answered as an HTTP server; at most twice TRY_S. Not remembered."""
        if await probes.speaks_tls(*program.dialled, TRY_S):
            return Protocol.HTTPS
        return Protocol.H2C if await self.try_h2c(program) else Protocol.OTHER


def _keep(table: OrderedDict[_Key, Found], program: Program, found: Found) -> None:
    table[program.upstream, program.inodes] = found
    if len(table) > MAX_KNOWN:
        table.popitem(last=False)
