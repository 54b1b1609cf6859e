"""The protocol between a client and an edge. docs/tunnel-protocol.md describes it in prose.

A client connects by an HTTP Upgrade to PATH (or by plain TLS), and yamux begins, the client being its client.
The first stream of each link, opened by the client, is control: one JSON object a line, from `hello` on.
Every stream that the edge opens carries one visitor; it begins with an `Introduction`, then its bytes. Over
UDP a stream carries the datagrams of one visitor address, each behind a length of two bytes, big-endian.
"""

from __future__ import annotations

import struct
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

_T = TypeVar("_T")

VERSION = 1
PATH = "/.homeport/connect"
UPGRADE = "homeport-tunnel"
MAX_LINE = 64 * 1024  # bytes of one control message
MAX_DATAGRAM = 65_507  # bytes of payload that one IPv4 UDP datagram can carry
MAX_LINKS = 8  # connections of one client
MAX_TUNNELS = 1024  # tunnels of one client
MAX_RATE = 10**12  # bytes a second that a limit may say
HEARTBEAT_S = 5  # a link that is silent over two of these is dead


class Kind(StrEnum):
    """The kind of a tunnel: the protocol that it carries."""

    HTTP = "http"
    TCP = "tcp"
    UDP = "udp"


class Refusal(StrEnum):
    """Why an edge refuses a link or a tunnel; the command line has an exit code for each."""

    TOKEN = "token"  # unknown, revoked, or not for tunnels  # noqa: S105
    VERSION = "version"
    LIMIT = "limit"  # too many links, tunnels or reservations
    NAME_TAKEN = "name-taken"  # reserved by another token
    TAKEN_OVER = "taken-over"  # by a newer client, while this one was away
    NAME_BAD = "name-bad"
    PORT_TAKEN = "port-taken"
    PORT_RANGE = "port-range"
    NETWORK_BAD = "network-bad"
    DOMAIN = "domain"  # not mapped to this name, or not verified yet
    BAD = "bad"  # the message itself


class _Message(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)  # a later version may say more


ProxyProtocol = Literal["v1", "v2"]
Id = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]


class Hello(_Message):
    """The first line of a link. `run` names the client process: its links have it in common."""

    type: Literal["hello"] = "hello"
    version: int
    token: Annotated[str, Field(max_length=128)]
    run: Id
    link: Annotated[int, Field(ge=0, lt=MAX_LINKS)] = 0
    client: Annotated[str, Field(max_length=64)]  # what a person would call it: the host name
    agent: Annotated[str, Field(max_length=64)]  # program and version


class Welcome(_Message):
    """The edge's answer. `url` is the pattern of names, such as https://{name}.tunnel.example.com.

    `token_ends`: when the token of the hello was replaced, the end of its grace time.
    """

    type: Literal["welcome"] = "welcome"
    version: int = VERSION
    edge: str
    url: str
    host: str  # where TCP and UDP ports are reached
    tcp_ports: str
    udp_ports: str
    time: str
    token_ends: str | None = None


class Limits(_Message):
    """Limits of one tunnel; None is no limit but the edge's own."""

    bytes_per_second: Annotated[int, Field(ge=1024, le=MAX_RATE)] | None = None  # each direction
    connections: Annotated[int, Field(ge=1, le=100_000)] | None = None  # at a time


class Open(_Message):
    """A client requests a tunnel. `name` is for HTTP, `port` for TCP and UDP; without one the edge chooses.

    A name or port of the client's choice is reserved: it stays when no client holds it. Without `reserve` it is one
    that the edge chose before, and may give to others. `again`: the client had this tunnel already, and has lost its
    links since; it does not take the tunnel over from a newer client, as a client that starts does.

    `host` is what HTTP visitors' Host, X-Forwarded-Host and Origin are rewritten to by the edge, `localhost:3000`; None
    leaves them. Clients since December 2026 leave it out, and rewrite requests and responses themselves; but not with
    `http2`, by which the edge speaks HTTP/2 without TLS to the local server.
    `proxy_protocol`: the version of the PROXY header with which the client begins each connection to its TCP server.
    `subdomains`: each name below the tunnel's own, `foo.myapp.tunnel.example.com`, leads to the client too.
    `workstation`: the name is a workstation's dashboard; `5173-NAME` and the like, its ports, lead to the client too.
    """

    type: Literal["open"] = "open"
    request: Annotated[int, Field(ge=0, lt=2**31)]
    kind: Kind
    name: Annotated[str, Field(max_length=63)] | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    reserve: bool = True
    again: bool = False
    http2: bool = False
    host: Annotated[str, Field(max_length=255, pattern=r"^[A-Za-z0-9.:\[\]-]+$")] | None = None
    allow: Annotated[tuple[Annotated[str, Field(max_length=64)], ...], Field(max_length=64)] = ()
    passcode: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    limits: Limits = Limits()
    proxy_protocol: ProxyProtocol | None = None
    workstation: bool = False
    subdomains: bool = False


UNASKED = 0  # the request of an `opened` about a tunnel that is open


class Opened(_Message):
    """The edge has opened a tunnel. `address` is for visitors: an URL, or host:port. `http2`: as the `open`
    had it; `subdomains`: as it had it, or the reservation says. With UNASKED the edge says that this has changed.
    """

    type: Literal["opened"] = "opened"
    request: int
    tunnel: Id
    address: str
    name: str | None = None
    port: int | None = None
    http2: bool = False
    subdomains: bool = False


class Refused(_Message):
    """The edge refuses the `open` with this `request`; with None it refuses the link, which ends."""

    type: Literal["refused"] = "refused"
    request: int | None = None
    reason: Refusal
    detail: str
    fix: str


class Close(_Message):
    """The client ends a tunnel; its reservation, if there is one, stays.

    `forget`: a reservation that this client's `open` created, and nobody has changed since, ends too.
    """

    type: Literal["close"] = "close"
    tunnel: Id
    forget: bool = False


class Closed(_Message):
    """The edge ended a tunnel. After `taken-over`, `killed` and `revoked` a client does not request it again."""

    type: Literal["closed"] = "closed"
    tunnel: Id
    reason: Literal["closed", "taken-over", "killed", "revoked"]
    detail: str = ""


class Rotate(_Message):
    """The edge gives the client a new token. The client stores it, then sends `rotated`; the old one ends after
    `grace_s` seconds.
    """

    type: Literal["rotate"] = "rotate"
    token: str
    grace_s: int


class Rotated(_Message):
    """The client has stored the new token."""

    type: Literal["rotated"] = "rotated"


FromClient = Annotated[Hello | Open | Close | Rotated, Field(discriminator="type")]
FromEdge = Annotated[Welcome | Refused | Opened | Closed | Rotate, Field(discriminator="type")]

_FROM_CLIENT: TypeAdapter[Hello | Open | Close | Rotated] = TypeAdapter(FromClient)
_FROM_EDGE: TypeAdapter[Welcome | Refused | Opened | Closed | Rotate] = TypeAdapter(FromEdge)


class BadMessage(Exception):
    """Bytes that are no message of this protocol."""


def encode(message: _Message) -> bytes:
    """The message as one line of JSON."""
    return message.model_dump_json(exclude_none=True).encode() + b"\n"


def from_client(line: bytes) -> Hello | Open | Close | Rotated:
    """Parse a message of a client. Raises BadMessage."""
    return _decode(_FROM_CLIENT, line)


def from_edge(line: bytes) -> Welcome | Refused | Opened | Closed | Rotate:
    """Parse a message of an edge. Raises BadMessage."""
    return _decode(_FROM_EDGE, line)


def _decode(adapter: TypeAdapter[_T], line: bytes) -> _T:
    if len(line) > MAX_LINE:
        raise BadMessage(f"a message is longer than {MAX_LINE} bytes")
    try:
        return adapter.validate_json(line)
    except ValidationError as error:
        details = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()[:5]
        )
        raise BadMessage(details) from None


class Introduction(_Message):
    """The head of a visitor's stream: two bytes of length, then JSON. `address`, `port`: the visitor's.

    `server`: the address of the edge that the visitor connected to, of TCP tunnels.
    """

    tunnel: Id
    address: IPv4Address | IPv6Address
    port: Annotated[int, Field(ge=0, le=65535)]
    server: IPv4Address | IPv6Address | None = None

    def encode(self) -> bytes:
        """The introduction as bytes of the stream."""
        data = self.model_dump_json(exclude_none=True).encode()
        return struct.pack("!H", len(data)) + data


MAX_INTRODUCTION = 512  # bytes, without its length


def introduction(data: bytes) -> Introduction:
    """Parse an introduction, without its length. Raises BadMessage."""
    try:
        return Introduction.model_validate_json(data)
    except ValidationError as error:
        raise BadMessage(str(error.errors()[0]["msg"])) from None
