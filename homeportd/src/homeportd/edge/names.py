"""Names and ports: which a client may have, which the edge chooses, and the address of each. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from homeportd.edge.model import Refused, Reservation
from homeportd.edge.settings import EdgeSettings
from homeportd.port_range import PortRange
from homeportd.tunnels.protocol import Kind, Open, Refusal

RESERVED = frozenset(
    (
        "admin",
        "connect",
        "dashboard",
        "edge",
        "homeport",
        "localhost",
        "mail",
        "ns",
        "ns1",
        "ns2",
        "smtp",
        "status",
        "tunnel",
        "www",
    )
)
MAX_NAME = 63  # characters of a DNS label, RFC 1035 §2.3.4
MAX_WORKSTATION = MAX_NAME - len("65535-")
TRIES = 64

# The name of a workstation's port; its group is the workstation's name.
PORT_OF_WORKSTATION = re.compile(r"[1-9][0-9]{0,4}-(.+)")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_FIRST = [
    "amber",
    "autumn",
    "bold",
    "brave",
    "bright",
    "calm",
    "clear",
    "clever",
    "cosy",
    "crisp",
    "dawn",
    "deep",
    "early",
    "eager",
    "fair",
    "fleet",
    "fresh",
    "gentle",
    "glad",
    "golden",
    "grand",
    "happy",
    "hardy",
    "hazel",
    "high",
    "jolly",
    "keen",
    "kind",
    "light",
    "lively",
    "lucky",
    "merry",
    "mild",
    "misty",
    "neat",
    "noble",
    "north",
    "quick",
    "quiet",
    "rapid",
    "ready",
    "royal",
    "silent",
    "silver",
    "smooth",
    "snowy",
    "solid",
    "south",
    "spry",
    "steady",
    "still",
    "sunny",
    "swift",
    "tidy",
    "true",
    "vivid",
    "warm",
    "west",
    "wild",
    "wise",
    "young",
]
_SECOND = [
    "anchor",
    "arch",
    "bay",
    "beacon",
    "birch",
    "bloom",
    "breeze",
    "bridge",
    "brook",
    "buoy",
    "canyon",
    "cedar",
    "cliff",
    "cloud",
    "coast",
    "comet",
    "coral",
    "cove",
    "creek",
    "crest",
    "delta",
    "dune",
    "elm",
    "fern",
    "field",
    "fjord",
    "forest",
    "garden",
    "glen",
    "grove",
    "harbor",
    "heath",
    "hill",
    "isle",
    "jetty",
    "lagoon",
    "lake",
    "lark",
    "lighthouse",
    "maple",
    "marsh",
    "meadow",
    "mesa",
    "mole",
    "oak",
    "ocean",
    "orchard",
    "otter",
    "pier",
    "pine",
    "plain",
    "pond",
    "prairie",
    "quay",
    "reef",
    "ridge",
    "river",
    "robin",
    "shore",
    "sky",
    "spring",
    "star",
    "stone",
    "strand",
    "stream",
    "summit",
    "tide",
    "trail",
    "vale",
    "valley",
    "wave",
    "willow",
]


def address(reservation: Reservation, settings: EdgeSettings) -> str:
    """The address to give to people: `https://app.tunnel.example.com`, `tunnel.example.com:20022`."""
    if reservation.name is not None:
        return settings.url_of(reservation.name)
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{host}:{reservation.port}"


def label(message: Open, settings: EdgeSettings) -> str | None:
    """The name, or the port as text, that is asked for; None: the edge chooses. Raises Refused."""
    if (message.port if message.kind is Kind.HTTP else message.name) is not None:
        raise Refused(Refusal.BAD, "names are for HTTP, ports for TCP and UDP", "leave the other out")
    if message.workstation:
        _check_workstation(message, settings)
    if message.subdomains:
        check_subdomains(message.kind, message.name, settings)
    if message.kind is Kind.HTTP:
        return check_name(message.name) if message.name is not None else None
    if message.port is None:
        return None
    return str(check_port(message.port, settings.span(message.kind), message.kind))


def _check_workstation(message: Open, settings: EdgeSettings) -> None:
    if message.kind is not Kind.HTTP or message.name is None or len(message.name) > MAX_WORKSTATION:
        raise Refused(
            Refusal.NAME_BAD,
            "a workstation has a name",
            f"choose one of {MAX_WORKSTATION} characters at most",
        )
    if settings.scheme == "https" and settings.cert_resolver is not None:
        raise Refused(
            Refusal.DOMAIN,
            "this edge has a certificate for each name, and a workstation has a name for each port",
            "give the edge a wildcard certificate: traefik_dns_provider (docs/edge-ovh.md)",
        )


def check_subdomains(kind: Kind, name: str | None, settings: EdgeSettings) -> None:
    """Raises Refused where names below a name cannot lead to its tunnel."""
    if kind is not Kind.HTTP:
        raise Refused(Refusal.BAD, "subdomains are of HTTP names", "leave them out")
    if settings.scheme == "https" and settings.wildcard_resolver is None:
        raise Refused(
            Refusal.DOMAIN,
            f"no certificate of this edge covers names such as foo.{settings.host_of(name or 'myapp')}:"
            " a wildcard is for one level",
            "give the edge its DNS provider's credentials (traefik_dns_provider, docs/edge-ovh.md), or open a tunnel"
            " for each name",
        )


def check_name(name: str) -> str:
    """The name in lower case. Raises Refused for what cannot be the first label of a host name."""
    name = name.lower()
    if len(name) > MAX_NAME or not _LABEL.fullmatch(name):
        raise Refused(
            Refusal.NAME_BAD,
            f"{name!r} cannot be a name",
            f"use letters, digits and hyphens, not at the ends, {MAX_NAME} characters at most",
        )
    if name[2:4] == "--":  # RFC 5891 §4.2.3.1: such labels say how they are encoded
        raise Refused(Refusal.NAME_BAD, f"{name!r} looks like an encoded name", "avoid -- after two letters")
    if name in RESERVED:
        raise Refused(Refusal.NAME_BAD, f"{name!r} is kept for the edge itself", "choose another name")
    return name


def choose_name(choose: Callable[[int], int], taken: Callable[[str], bool]) -> str:
    """A readable name that is free; `choose(n)` gives a number below n. Raises Refused when luck runs out."""
    for attempt in range(TRIES):
        name = f"{_FIRST[choose(len(_FIRST))]}-{_SECOND[choose(len(_SECOND))]}"
        if attempt >= 4:
            name += f"-{choose(10_000)}"
        if not taken(name):
            return name
    raise Refused(Refusal.LIMIT, "no free name was found", "choose one yourself")


def check_port(port: int, span: PortRange, kind: str) -> int:
    """The port. Raises Refused outside the edge's range."""
    if port not in span:
        raise Refused(
            Refusal.PORT_RANGE,
            f"{kind.upper()} port {port} is not one of this edge's",
            f"choose one from {span.first} to {span.last}, or none, and the edge will",
        )
    return port


def choose_port(choose: Callable[[int], int], span: PortRange, taken: Collection[int], kind: str) -> int:
    """A free port of the range, at random so that old visitors rarely meet a new tunnel. Raises Refused."""
    size = span.last - span.first + 1
    start = choose(size)
    for step in range(size):
        port = span.first + (start + step) % size
        if port not in taken:
            return port
    raise Refused(
        Refusal.LIMIT, f"every {kind.upper()} port of this edge is taken", "remove a reservation or a tunnel"
    )
