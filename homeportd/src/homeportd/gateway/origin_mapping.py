"""Origins of ports as visitors have them, and as their dev servers have them: `http://localhost:5173`, unless the
share says otherwise. Host, X-Forwarded-*, Origin and Referer all follow from that one origin."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

from homeportd.gateway.request import AuthRequest
from homeportd.origin import Origin
from homeportd.ports.model import Port, Program
from homeportd.ports.protocols import Protocol as Spoken
from homeportd.ports.protocols import Protocols
from homeportd.ports.target import target
from homeportd.shares.binding import ROOT
from homeportd.shares.model import KEEP, LOCALHOST, Share

MAX_SIBLINGS: Final = 64  # ports of a repo that are mapped beside the one asked for
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_LABEL: Final = re.compile(r"[a-z0-9_-]{1,63}")
_NAME: Final = re.compile(r"[a-z0-9._-]*[a-z_-][a-z0-9_-]*(:[0-9]+)?")


class Ports(Protocol):
    """What origins need of the ports."""

    def get(self, port: int) -> Port | None:
        """The port, while something listens on it."""

    def snapshot(self) -> Mapping[int, Port]:
        """All ports by number; another object after each change."""


def port_of(origin: str, own: str, port: int) -> int | None:
    """The number N for which `origin` is what `own` is for `port`; None where there is none."""
    before, found, after = own.partition(f"//{port}")
    prefix = before + "//"
    if not found or not origin.startswith(prefix) or not origin.endswith(after):
        return None
    digits = origin[len(prefix) : len(origin) - len(after)]
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 5 and digits[0] != "0"):
        return None
    return int(digits)


def label_of(origin: str, own: str) -> str | None:
    """What stands before the host of `own` in an origin one label below it; None for any other origin."""
    scheme, _, authority = own.partition("//")
    before, after = f"{scheme}//", f".{authority}"
    if not (origin.startswith(before) and origin.endswith(after)):
        return None
    label = origin[len(before) : -len(after)]
    return label if _LABEL.fullmatch(label) else None


def below(origin: str, label: str) -> str:
    """The origin one label below another; that one itself without a label, and an address, which has no such names."""
    scheme, _, authority = origin.partition("//")
    return f"{scheme}//{label}.{authority}" if label and _NAME.fullmatch(authority) else origin


def origin_of_url(url: str) -> str:
    """The origin of an absolute http(s) URL, in lower case as browsers write it; empty for anything else."""
    scheme, found, rest = url.partition("://")
    if not found or scheme not in _DEFAULT_PORTS:
        return ""
    end = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
    return f"{scheme}://{rest[:end]}"


def local_origin(scheme: str, port: int) -> str:
    """The origin of a port for a browser on this machine."""
    return f"{scheme}://localhost:{port}"


def server_origin(host_header: str, public: str, port: int, scheme: str = "http") -> str:
    """The origin that the dev server of `port`, which speaks `scheme`, is made to believe it has."""
    if host_header == LOCALHOST:
        return local_origin(scheme, port)
    return public if host_header == KEEP else f"{scheme}://{host_header}"


@dataclass(frozen=True, slots=True)
class OriginMap:
    """The mapping of one port. `base`: its server's origin, and `server` that which a request is for: the same,
    or one label below. `subdomains`: the port's names have such ones below. `siblings`: other ports of its
    repo, with their servers' origins. `same_repo`: those, for Caddy; empty without any. `headers`: what else
    Caddy has to know, unless `usual`."""

    port: int
    public: str
    base: str
    server: str
    subdomains: bool
    siblings: Mapping[int, str]
    keep: bool
    same_repo: tuple[tuple[bytes, bytes], ...]
    headers: tuple[tuple[bytes, bytes], ...]

    @property
    def usual(self) -> bool:
        """Whether the dev server is told what the Caddyfile says by itself."""
        return not self.subdomains and self.server == local_origin("http", self.port)

    def label(self, origin: str, visited: str) -> str | None:
        """The label of an origin below the port's own, where these lead here; None for any other."""
        if not self.subdomains:
            return None
        return label_of(origin, visited) or label_of(origin, self.public)

    def origin(self, origin: str, visited: str) -> str:
        """The dev server's view of an Origin; `visited` is the port's own origin as this visitor has it.

        Only the port's own origins and those of the same repo are mapped; a foreign one stays foreign.
        """
        if origin in (visited, self.public):
            return self.base
        label = self.label(origin, visited)
        if label is not None:
            return below(self.base, label)
        if self.keep or not self.siblings:
            return origin
        number = port_of(origin, visited, self.port) or port_of(origin, self.public, self.port)
        return origin if number is None else self.siblings.get(number, origin)

    def url(self, url: str, visited: str) -> str:
        """The same for a whole URL."""
        origin = origin_of_url(url)
        if not origin:
            return url
        return self.origin(origin, visited) + url[len(origin) :]


class OriginMaps:
    """The mapping of every port; made at first need, and anew when ports or shares have changed."""

    def __init__(
        self, origins: Origin, ports: Ports, share: Callable[[int], Share | None], protocols: Protocols
    ) -> None:
        self._protocols = protocols
        self._origins = origins
        self._ports = ports
        self._share = share
        self._made_of: tuple[object, int] = (None, 0)
        self._maps: dict[int, tuple[Share | None, OriginMap]] = {}

    def of(self, port: int, label: str = "") -> OriginMap:
        """The mapping of a port; with a label, for a request one label below its name."""
        made = self._of(port)
        return _one_below(made, label) if label and made.subdomains else made

    def _of(self, port: int) -> OriginMap:
        snapshot, learned = self._ports.snapshot(), self._protocols.learned
        if snapshot is not self._made_of[0] or learned != self._made_of[1]:
            self._made_of = (snapshot, learned)
            self._maps.clear()
        share = self._share(port)
        known = self._maps.get(port)
        if known is not None and known[0] is share:
            return known[1]
        made = self._make(port, share)
        if self._ports.get(port) is not None:  # strangers ask for any number
            self._maps[port] = (share, made)
        return made

    def visited(self, request: AuthRequest) -> str:
        """The port's own origin as the request has it, without a label below it.

        With the number of a forwarded port, where that was used. The client of a tunnel writes it with the scheme http,
        whatever the port's own has.
        """
        host = request.host.removeprefix(f"{request.label}.") if request.label else request.host
        return f"{'http' if request.by_tunnel else self._origins.scheme}://{host}"

    def _make(self, port: int, share: Share | None) -> OriginMap:
        host_header = share.host_header if share is not None else LOCALHOST
        public = self._origins.of_port(port)
        server = server_origin(host_header, public, port, self._scheme(port))
        siblings = self._siblings(port)
        subdomains = share is not None and share.subdomains
        scheme, _, authority = server.partition("://")
        forwarded_port = authority.rpartition(":")[2] if has_port(authority) else _DEFAULT_PORTS[scheme]
        headers = {
            "x-homeport-host": authority,
            "x-homeport-proto": scheme,
            "x-homeport-forwarded-port": forwarded_port,
        }
        if subdomains and _NAME.fullmatch(authority):
            headers["x-homeport-below"] = authority
        if host_header != KEEP and (subdomains or host_header != LOCALHOST):
            headers["x-homeport-cookie-domains"] = cookie_domains(authority, subdomains=subdomains)
        return OriginMap(
            port=port,
            public=public,
            base=server,
            server=server,
            subdomains=subdomains,
            siblings=siblings,
            keep=host_header == KEEP,
            same_repo=((b"x-homeport-same-repo", "".join(f"|{one}" for one in sorted(siblings)).encode()),)
            if siblings
            else (),
            headers=tuple((name.encode(), value.encode("latin-1")) for name, value in headers.items()),
        )

    def _siblings(self, number: int) -> dict[int, str]:
        own = self._program(number)
        if own is None or own.repo is None:
            return {}
        found: dict[int, str] = {}
        for other in self._ports.snapshot():
            program = self._program(other)
            if other != number and program is not None and _belong_together(own, program):
                found[other] = local_origin(self._scheme(other), other)
                if len(found) == MAX_SIBLINGS:
                    break
        return found

    def _program(self, number: int) -> Program | None:
        port = self._ports.get(number)
        return None if port is None else target(port, self._share(number), owner=True)

    def _scheme(self, number: int) -> str:
        program = self._program(number)
        https = program is not None and self._protocols.of(program) is Spoken.HTTPS
        return "https" if https else "http"


def _one_below(made: OriginMap, label: str) -> OriginMap:
    server = below(made.base, label)
    host = (b"x-homeport-host", server.partition("//")[2].encode("latin-1"))
    return replace(made, server=server, headers=(host, *made.headers[1:]))


def _belong_together(one: Program, other: Program) -> bool:
    """Whether two programs are of one repo. Another user may run one in the very folder; root's are containers' too."""
    trusted = {one.uid, other.uid} <= {one.repo_uid, ROOT}
    return one.repo == other.repo and (trusted or one.uid == other.uid)


def cookie_domains(authority: str, *, subdomains: bool = False) -> str:
    """A regular expression for the domains that a server of this name may give a cookie; of two labels at least.

    With `subdomains` those one label below, too.
    """
    host = authority.rpartition(":")[0] if has_port(authority) else authority
    labels = host.split(".")
    above = [re.escape(".".join(labels[at:])) for at in range(max(1, len(labels) - 1))]
    return "|".join([*above, rf"[a-z0-9_-]+[.]{re.escape(host)}"] if subdomains else above)


def has_port(authority: str) -> bool:
    """Whether an authority names a port: `a:1`, `[::1]:1`."""
    return authority.rpartition(":")[2].isdigit() and not authority.endswith("]")
