"""Targets, names, ports and networks of tunnels, as people write them."""

from __future__ import annotations

import re
from typing import Final

from homeportd.cli.errors import NETWORK, REQUEST, USAGE, Failure
from homeportd.networks import NetworkError, parse_network
from homeportd.tunnels.address import Target

MAX_LABEL: Final = 63  # characters of a name
MAX_RANGE: Final = 256  # ports of one target
KINDS: Final = ("http", "tcp", "udp")
_RANGE: Final = re.compile(r"((?:.*:)?)([0-9]{1,5})-([0-9]{1,5})")


def parse_kind(text: str) -> str:
    """A kind of tunnel. Raises Failure."""
    if text not in KINDS:
        raise Failure(f"{text!r} is no kind of tunnel", "write http, tcp or udp", USAGE)
    return text


def expand(text: str) -> list[str]:
    """The targets of a range of ports, `9000-9002=29000-29002`; a target without a range alone. Raises Failure."""
    written, has_external, external = text.partition("=")
    local = _RANGE.fullmatch(written)
    if local is None:
        return [text]
    targets = [f"{local[1]}{number}" for number in _ports(text, local)]
    if not has_external:
        return targets
    ports = parse_range(external, text) or ()
    if len(ports) != len(targets):
        raise Failure(
            f"{text!r} is {len(targets)} ports here and not as many at the edge",
            "write two ranges of one length, such as 27015-27020=27015-27020",
            USAGE,
        )
    return [f"{target}={number}" for target, number in zip(targets, ports, strict=True)]


def parse_range(text: str, written: str | None = None) -> range | None:
    """The ports of a range at the edge, `27015-27020`; None for a text that is no range. Raises Failure.

    `written`: what the person wrote, where that is more than the range.
    """
    match = _RANGE.fullmatch(text)
    return None if match is None or match[1] else _ports(written or text, match)


def _ports(text: str, match: re.Match[str]) -> range:
    first, last = int(match[2]), int(match[3])
    if not 1 <= first <= last <= 65535:
        raise Failure(f"{text!r} is no range of ports", "write the lower port first: 27015-27020", USAGE)
    if last - first >= MAX_RANGE:
        raise Failure(
            f"{text!r} is {last - first + 1} ports; a range has {MAX_RANGE} at most", "write several", USAGE
        )
    return range(first, last + 1)


def parse_target(text: str, kind: str) -> Target:
    """A local server. Raises Failure."""
    try:
        target = Target.parse(text)
    except ValueError as error:
        raise Failure(str(error), f"homeport {kind} --help", USAGE) from None
    if target.scheme is not None and kind != "http":
        raise Failure(
            f"{target.scheme}:// is for HTTP; a {kind.upper()} tunnel carries what it is given, TLS too",
            f"homeport {kind} {target.netloc}",
            USAGE,
        )
    return target


def allowed_network(text: str) -> str:
    """A network of an allowlist, normalised. Raises Failure."""
    try:
        return str(parse_network(text))
    except NetworkError as error:
        raise Failure(error.detail, error.fix, NETWORK) from None


def parse_name(text: str) -> str:
    """A name in lower case; the edge decides whether it can be had. Raises Failure for a text that is no name."""
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
    return text.lower()  # as the edge has it: the daemon compares names to find the tunnel that is replaced


def parse_external_port(text: str, fix: str = "write it as 5432=25432") -> int:
    """A port at the edge. Raises Failure."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 5 else 0
    if not 1 <= number <= 65535:
        raise Failure(f"{text!r} is not a port", fix, USAGE)
    return number
