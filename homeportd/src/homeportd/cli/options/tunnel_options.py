"""The arguments of a tunnel, as several commands have them, and the wish that comes of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Final, TypeVar

import typer

from homeportd.cli.errors import (
    CLOCK,
    NETWORK,
    NOT_FOUND,
    PORT,
    REFUSED,
    REQUEST,
    TAKEN,
    TOKEN,
    UNREACHABLE,
    USAGE,
    VERSION,
    Failure,
)
from homeportd.cli.options import passwords
from homeportd.networks import parse_network
from homeportd.tunnels.address import Target
from homeportd.tunnels.errors import Problem, Reason

MAX_LABEL: Final = 63  # characters of a name
KINDS: Final = ("http", "tcp", "udp")
LEAST_RATE: Final = 1024  # bytes a second, as the protocol has it
MAX_RANGE: Final = 256  # ports of one target
_RANGE: Final = re.compile(r"((?:.*:)?)([0-9]{1,5})-([0-9]{1,5})")
_RATE: Final = re.compile(r"([0-9]{1,12})([kMG]?)B?")
_UNITS: Final = {"": 1, "k": 1000, "M": 1000**2, "G": 1000**3}
_T = TypeVar("_T")
_CODES: Final = {
    Reason.UNREACHABLE: UNREACHABLE,
    Reason.TOKEN: TOKEN,
    Reason.TAKEN: TAKEN,
    Reason.PORT: PORT,
    Reason.NETWORK: NETWORK,
    Reason.REQUEST: REQUEST,
    Reason.VERSION: VERSION,
    Reason.CLOCK: CLOCK,
    Reason.SETUP: NOT_FOUND,
}

Kind = Annotated[
    str,
    typer.Argument(
        metavar="KIND",
        help="http, tcp or udp.",
        autocompletion=lambda incomplete: [kind for kind in KINDS if kind.startswith(incomplete)],
    ),
]
Targets = Annotated[
    list[str],
    typer.Argument(
        metavar="TARGET",
        help="A port, host:port or [address]:port; several are several tunnels. Each may have its place behind"
        " an equals sign: 3000=myapp, or for TCP and UDP 5432=25432. A range is a tunnel for each port:"
        " 27015-27020=27015-27020.",
    ),
]
Domain = Annotated[
    str | None,
    typer.Option("--domain", metavar="NAME", help="The name to have at the edge, such as myapp."),
]
ReservePort = Annotated[
    int | None,
    typer.Option("--reserve-port", min=1, max=65535, metavar="N", help="The port to have at the edge."),
]
Allow = Annotated[
    list[str] | None,
    typer.Option("--allow", metavar="CIDR", help="Let in this network alone; may be repeated."),
]
MaxConnections = Annotated[
    int | None,
    typer.Option(
        "--max-connections", min=1, max=100_000, metavar="N", help="Let in so many connections at a time."
    ),
]
MaxRate = Annotated[
    str | None,
    typer.Option("--max-rate", metavar="SIZE", help="Carry so much a second each way, such as 500k or 20M."),
]
Passcode = Annotated[
    bool, typer.Option("--passcode", help="Let in who knows a passcode (HTTP); asks for it.")
]
PasscodeStdin = Annotated[
    bool, typer.Option("--passcode-stdin", help="The same, with the passcode from standard input.")
]
HostHeader = Annotated[
    str,
    typer.Option(
        "--host-header",
        metavar="auto|keep|VALUE",
        help="What a web server sees as Host and Origin: auto is localhost and its port, which dev servers"
        " accept; keep is the public name.",
    ),
]


def failure(problem: Problem) -> Failure:
    """A problem of the tunnel room, as the command line ends with it."""
    return Failure(problem.detail, problem.fix, _CODES.get(problem.reason, REFUSED))


def failure_of(said: dict[str, str]) -> Failure:
    """The same for one that came over the daemon's socket."""
    try:
        code = _CODES.get(Reason(said.get("reason", "")), REFUSED)
    except ValueError:
        code = REFUSED
    return Failure(said.get("detail", "it failed"), said.get("fix", "homeport daemon status"), code)


def trying(work: Callable[[], _T]) -> _T:
    """Run something of the tunnel room; its problems become failures."""
    try:
        return work()
    except Problem as problem:
        raise failure(problem) from problem


def make(
    kind: str,
    targets: Iterable[str],
    *,
    domain: str | None = None,
    reserve_port: int | None = None,
    allow: list[str] | None = None,
    limits: dict[str, int] | None = None,
    passcode: str | None = None,
    host_header: str = "auto",
) -> list[dict[str, Any]]:
    """The wishes, one a target, as the daemon and the client take them. Raises Failure."""
    given = [one for text in targets for one in each(text)]
    if len(given) > 1 and (domain or reserve_port):
        flag, example = ("--domain", "3000=myapp") if domain else ("--reserve-port", "5432=25432")
        raise Failure(
            f"{flag} is for one target, and there are {len(given)}",
            f"write the place behind each: {example}",
            USAGE,
        )
    networks = [network(text) for text in allow or []]
    wishes = []
    for text in given:
        written, chosen_here, place = text.partition("=")
        target = _target(written, kind)
        wish: dict[str, Any] = {"kind": kind, "target": str(target), "allow": networks}
        if kind == "http":
            wish["name"] = name(place if domain is None and chosen_here else domain)
            wish["host"] = _host(host_header, target)
        else:
            wish["port"] = reserve_port or (port(place) if chosen_here else None)
        if limits:
            wish["limits"] = limits
        if passcode:
            wish["passcode"] = passcode
        wishes.append({key: value for key, value in wish.items() if value is not None})
    places = [wish.get("name") or wish.get("port") for wish in wishes]
    chosen = [place for place in places if place is not None]
    if len(set(chosen)) < len(chosen):
        raise Failure("two targets ask for the same place", "give each a name or port of its own", USAGE)
    return wishes


def each(text: str) -> list[str]:
    """The targets of a range of ports, `9000-9002=29000-29002`; what is none stays as it is. Raises Failure."""
    written, chosen_here, place = text.partition("=")
    local = _RANGE.fullmatch(written)
    if local is None:
        return [text]
    targets = [f"{local[1]}{number}" for number in _span(text, local)]
    if not chosen_here:
        return targets
    places = span(place, text) or ()
    if len(places) != len(targets):
        raise Failure(
            f"{text!r} is {len(targets)} ports here and not as many at the edge",
            "write two ranges of one length, such as 27015-27020=27015-27020",
            USAGE,
        )
    return [f"{target}={number}" for target, number in zip(targets, places, strict=True)]


def span(text: str, said: str | None = None) -> range | None:
    """The ports of a range at the edge, `27015-27020`; None for what is none. Raises Failure.

    `said`: what a person wrote, where that is more than the range.
    """
    match = _RANGE.fullmatch(text)
    return None if match is None or match[1] else _span(said or text, match)


def _span(text: str, match: re.Match[str]) -> range:
    first, last = int(match[2]), int(match[3])
    if not 1 <= first <= last <= 65535:
        raise Failure(f"{text!r} is no range of ports", "write the lower port first: 27015-27020", USAGE)
    if last - first >= MAX_RANGE:
        raise Failure(
            f"{text!r} is {last - first + 1} ports; a range has {MAX_RANGE} at most", "write several", USAGE
        )
    return range(first, last + 1)


def kind_of(text: str) -> str:
    """A kind of tunnel. Raises Failure."""
    if text not in KINDS:
        raise Failure(f"{text!r} is no kind of tunnel", "write http, tcp or udp", USAGE)
    return text


def limits_of(max_connections: int | None, max_rate: str | None) -> dict[str, int]:
    """The limits that are wanted, as the protocol has them. Raises Failure."""
    limits = {}
    if max_connections is not None:
        limits["connections"] = max_connections
    if max_rate is not None:
        match = _RATE.fullmatch(max_rate.strip())
        rate = int(match[1]) * _UNITS[match[2]] if match else 0
        if rate < LEAST_RATE:
            raise Failure(
                f"{max_rate!r} is no rate",
                f"write {LEAST_RATE} bytes a second or more, such as 500k or 20M",
                USAGE,
            )
        limits["bytes_per_second"] = rate
    return limits


def passcode_of(ask: bool, stdin: bool) -> str | None:
    """The passcode, if one is wanted. Raises Failure."""
    if ask and stdin:
        raise Failure("--passcode and --passcode-stdin exclude each other", "choose one", USAGE)
    if ask:
        return passwords.ask("the tunnel", "passcode")
    return passwords.from_stdin("passcode") if stdin else None


def _target(text: str, kind: str) -> Target:
    try:
        return Target.parse(text)
    except ValueError as error:
        raise Failure(str(error), f"homeport {kind} --help", USAGE) from None


def network(text: str) -> str:
    """A network of an allowlist, normalised. Raises Failure."""
    try:
        return str(parse_network(text))
    except ValueError as error:
        raise Failure(
            str(error), "write a network such as 203.0.113.0/24 or 2001:db8::/32", NETWORK
        ) from None


def name(text: str | None) -> str | None:
    """A name for the edge to judge, or None for one of its choice. Raises Failure for what is none at all."""
    if text is None:
        return None
    if not text:
        raise Failure("the name is empty", "write one, such as myapp, or leave it to the edge", USAGE)
    if "." in text:
        raise Failure(
            f"{text!r} is a whole domain; a name has no dots",
            "write the first part alone, such as myapp; a domain of your own leads to a name by homeport domains add",
            REQUEST,
        )
    if len(text) > MAX_LABEL:
        raise Failure(
            f"{text[:MAX_LABEL]!r}… is longer than {MAX_LABEL} characters", "choose a shorter name", REQUEST
        )
    return text.lower()  # as the edge takes it: the daemon tells by it what is the same place


def port(text: str, fix: str = "write it as 5432=25432") -> int:
    """A port at the edge. Raises Failure."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else 0
    if not 1 <= number <= 65535:
        raise Failure(f"{text!r} is not a port", fix, USAGE)
    return number


def _host(wanted: str, target: Target) -> str | None:
    if wanted == "keep":
        return None
    return str(target) if wanted == "auto" else wanted
