"""The settings file of the agent: TOML, written by Ansible, without a secret in it."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, model_validator

from homeportd.errors import HomeportError
from homeportd.networks import parse_network

CANDIDATES = ("~/.config/homeport/agent.toml", "/etc/homeport/agent.toml")
MAX_FILE = 64 * 1024  # bytes

_PATTERN = re.compile(
    r"(?P<scheme>https?)://\{port\}(?P<joint>[.-])(?P<host>[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:(?P<number>[0-9]{1,5}))?"
)


# Why the agent serves its user: system/served_user.py has the sentences.
UserReason = Literal["setting", "sudo", "root", "edge", "data", "rootless"]


class SettingsError(HomeportError):
    """The settings file cannot be used."""


@dataclass(frozen=True)
class Origin:
    """Where each port is seen, as a pattern: `http://{port}.localhost:8080`, `https://{port}-dev.example.com`.

    The dashboard lives at the same pattern without the port: `http://localhost:8080`,
    `https://dev.example.com`. Its origin never equals that of a port, so a dev server cannot use its cookies.
    """

    pattern: str

    def __post_init__(self) -> None:
        if not _PATTERN.fullmatch(self.pattern):
            raise ValueError(
                f"origin {self.pattern!r} is not of the form http://{{port}}.example.com[:8080]"
                " or https://{port}-dev.example.com, in lower case"
            )

    @cached_property
    def _match(self) -> re.Match[str]:
        match = _PATTERN.fullmatch(self.pattern)
        assert match is not None  # noqa: S101 - checked when this object was made
        return match

    @property
    def scheme(self) -> str:
        """`http` or `https`, as the visitor sees it."""
        return self._match["scheme"]

    @cached_property
    def dashboard(self) -> str:
        """The origin of the dashboard, without a trailing slash."""
        return self.pattern.replace("{port}" + self._match["joint"], "")

    def of_port(self, port: int) -> str:
        """The origin of one port, without a trailing slash."""
        return self.pattern.replace("{port}", str(port))

    @property
    def listen_port(self) -> int:
        """The port in the pattern, or the scheme's own."""
        return urlsplit(self.dashboard).port or (443 if self.scheme == "https" else 80)


@dataclass(frozen=True)
class PortRange:
    """An inclusive range of port numbers, written `3000-9999` or `3000`."""

    first: int
    last: int

    @classmethod
    def parse(cls, text: str) -> PortRange:
        """Raises ValueError unless 1 <= first <= last <= 65535."""
        match = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", text)
        if not match:
            raise ValueError(f"port range {text!r} is not of the form 3000-9999")
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= last <= 65535:
            raise ValueError(f"port range {text!r} must rise and stay within 1-65535")
        return cls(first, last)

    def __contains__(self, port: int) -> bool:
        return self.first <= port <= self.last


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError(f"{path} is not an absolute path")
    return path


def _ranges(texts: tuple[str, ...]) -> tuple[str, ...]:
    if not texts:
        raise ValueError("at least one range is needed, such as 3000-9999")
    for text in texts:
        PortRange.parse(text)
    return texts


Outside = Literal["own", "ranges"]
AbsolutePath = Annotated[Path, AfterValidator(_absolute)]


_EDGE_URL = re.compile(
    r"(?P<scheme>https?)://\{name\}\.(?P<base>[a-z0-9]([a-z0-9.-]*[a-z0-9])?)(:(?P<number>[0-9]{1,5}))?"
)
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|[0-9a-f:]+")


def _edge_url(text: str) -> str:
    if not _EDGE_URL.fullmatch(text):
        raise ValueError(
            f"{text!r} is not of the form https://{{name}}.tunnel.example.com[:8081], in lower case"
        )
    return text


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError(f"{text!r} is not a host name in lower case or an address")
    return text


def _port_span(text: str) -> str:
    PortRange.parse(text)
    return text


def _address(text: str) -> str:
    host, colon, number = text.rpartition(":")
    if not colon or not number.isdigit() or not 1 <= int(number) <= 65535:
        raise ValueError(f"{text!r} is not of the form 127.0.0.1:7070")
    ip_address(host.strip("[]"))
    return text


def _networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(parse_network(text)) for text in texts)


def _addresses(texts: tuple[str, ...]) -> tuple[str, ...]:
    if not texts:
        raise ValueError('at least one address is needed, such as "0.0.0.0"')
    return tuple(str(ip_address(text)) for text in texts)


class EdgeSettings(BaseModel):
    """The `[edge]` table: what makes a machine the public end of tunnels.

    `url` is the pattern of HTTP names, `host` where TCP and UDP ports are reached. Traefik dials `listen`.
    The dashboard is at `url` with `admin` for a name, for visitors from `admin_allow`; empty: from anywhere.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Annotated[str, AfterValidator(_edge_url)]
    host: Annotated[str, AfterValidator(_host)]
    bind: Annotated[tuple[str, ...], AfterValidator(_addresses)] = ("0.0.0.0", "::")  # noqa: S104 - an edge is public
    tcp_ports: Annotated[str, AfterValidator(_port_span)] = "20000-29999"
    udp_ports: Annotated[str, AfterValidator(_port_span)] = "20000-29999"
    listen: Annotated[str, AfterValidator(_address)] = "127.0.0.1:7070"
    admin_allow: Annotated[tuple[str, ...], AfterValidator(_networks)] = ()
    routes_dir: AbsolutePath
    access_log: AbsolutePath | None = None
    entry_point: str | None = None  # Traefik's, for HTTP names; None: web or websecure, by the scheme
    cert_resolver: str | None = None  # Traefik's, where there is no wildcard certificate
    domain_resolver: str | None = None  # Traefik's for people's own domains, which are refused without it
    log: AbsolutePath | None = None  # Traefik's own, JSON: says why a certificate could not be had
    tls_probe: Annotated[str, AfterValidator(_address)] | None = (
        None  # Traefik's TLS; None: url's port, on loopback
    )
    acme_ca: AbsolutePath | None = None  # roots to judge certificates by; None: the system's
    acme_caa: str = "letsencrypt.org"  # how CAA records name the certificate authority
    dns_server: Annotated[str, AfterValidator(_address)] | None = (
        None  # None: the system's, and port 53 everywhere
    )
    tls_listen: Annotated[str, AfterValidator(_address)] | None = None  # clients without Traefik
    tls_cert: AbsolutePath | None = None
    tls_key: AbsolutePath | None = None

    @model_validator(mode="after")
    def _tls_is_whole(self) -> EdgeSettings:
        if len({item is None for item in (self.tls_listen, self.tls_cert, self.tls_key)}) > 1:
            raise ValueError("tls_listen, tls_cert and tls_key belong together")
        return self

    @cached_property
    def _match(self) -> re.Match[str]:
        match = _EDGE_URL.fullmatch(self.url)
        assert match is not None  # noqa: S101 - checked when this object was made
        return match

    @property
    def scheme(self) -> str:
        """`http` or `https`, as visitors see it."""
        return self._match["scheme"]

    @property
    def base(self) -> str:
        """The domain below which the names are, without a port."""
        return self._match["base"]

    def host_of(self, name: str) -> str:
        """The host name of an HTTP tunnel, without a port."""
        return f"{name}.{self.base}"

    def url_of(self, name: str) -> str:
        """The address of an HTTP tunnel, without a trailing slash."""
        return self.url.replace("{name}", name)

    def url_of_domain(self, domain: str) -> str:
        """The address of an HTTP tunnel by a domain of its own, without a trailing slash."""
        number = f":{self._match['number']}" if self._match["number"] else ""
        return f"{self.scheme}://{domain}{number}"

    @property
    def probe(self) -> str:
        """Where Traefik's TLS answers on this machine, as ADDRESS:PORT."""
        return self.tls_probe or f"127.0.0.1:{self._match['number'] or 443}"

    @property
    def admin(self) -> str:
        """The origin of the dashboard on this edge."""
        return self.url_of("admin")

    def span(self, kind: str) -> PortRange:
        """The ports of `tcp` or `udp`."""
        return PortRange.parse(self.tcp_ports if kind == "tcp" else self.udp_ports)


class Settings(BaseModel):
    """What a person may decide about an agent; every key is in docs/operations.md."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user: str | None = None  # whom bin/site set the agent up for
    user_reason: UserReason | None = None
    # Left out on an edge that is no workstation: no ports, repos and shares then.
    origin: Annotated[str, AfterValidator(lambda text: Origin(text).pattern)] | None = None
    port_ranges: Annotated[tuple[str, ...], AfterValidator(_ranges)]
    own_ports: frozenset[int] = frozenset()
    repo_root: AbsolutePath
    data_dir: AbsolutePath
    socket_dir: AbsolutePath
    owner_reader: AbsolutePath | None = None  # the socket of ports/owner_reader, where there is one
    edge: EdgeSettings | None = None  # left out on a machine that is no edge

    @model_validator(mode="after")
    def _is_something(self) -> Settings:
        if self.origin is None and self.edge is None:
            raise ValueError("origin is missing; an edge alone, with a table [edge], does without")
        return self

    @cached_property
    def origins(self) -> Origin | None:
        """The parsed `origin`; None on an edge that is no workstation."""
        return None if self.origin is None else Origin(self.origin)

    @property
    def dashboard(self) -> str:
        """The origin that people are sent to: the workstation's, or else the edge's."""
        if self.origins is not None:
            return self.origins.dashboard
        assert self.edge is not None  # noqa: S101 - checked when this object was made
        return self.edge.admin

    @cached_property
    def ranges(self) -> tuple[PortRange, ...]:
        """The parsed `port_ranges`."""
        return tuple(PortRange.parse(text) for text in self.port_ranges)

    def outside(self, port: int) -> Outside | None:
        """Why a listener on this port is no dev server to us: it is one of Homeport's own, or in none of the ranges."""
        if port in self.own_ports:
            return "own"
        return None if any(port in span for span in self.ranges) else "ranges"

    def covers(self, port: int) -> bool:
        """Whether a listener on this port is a dev server to us."""
        return self.outside(port) is None

    def socket(self, name: str) -> Path:
        """The path of one of our unix sockets: `cli`, `web`, `gateway` or `relay`."""
        return self.socket_dir / f"{name}.sock"


def find() -> Path:
    """The settings file of this machine; raises SettingsError when there is none."""
    named = os.environ.get("HOMEPORT_CONFIG")
    if named:
        return Path(named)
    for candidate in CANDIDATES:
        path = Path(candidate).expanduser()
        if path.is_file():
            return path
    raise SettingsError(
        f"no settings file at {' or '.join(CANDIDATES)}", "run bin/site, or name the file in HOMEPORT_CONFIG"
    )


def load(path: Path) -> Settings:
    """Read and check one settings file; raises SettingsError with every mistake in it."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE + 1)
    except OSError as error:
        raise SettingsError(
            f"cannot read {path}: {error.strerror}", "run bin/site to write it anew"
        ) from error
    if len(text) > MAX_FILE:
        raise SettingsError(f"{path} is larger than {MAX_FILE} bytes", "run bin/site to write it anew")
    try:
        return Settings.model_validate(tomllib.loads(text.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}", "correct that line, or run bin/site") from error
    except ValidationError as error:
        details = "; ".join(
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()
        )
        raise SettingsError(
            f"{path}: {details}", "correct these keys in the inventory and run bin/site"
        ) from error
