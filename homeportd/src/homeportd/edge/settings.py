"""The settings of an edge: its names and ports, and its connection to Traefik."""

from __future__ import annotations

import re
from functools import cached_property
from ipaddress import ip_address
from typing import Annotated

from pydantic import AfterValidator, model_validator

from homeportd.networks import parse_networks
from homeportd.port_range import PortRange
from homeportd.setting_types import AbsolutePath, HostPort, RoomSettings

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


def _networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(str, parse_networks(texts)))


def _addresses(texts: tuple[str, ...]) -> tuple[str, ...]:
    if not texts:
        raise ValueError('at least one address is needed, such as "0.0.0.0"')
    return tuple(str(ip_address(text)) for text in texts)


class EdgeSettings(RoomSettings):
    """The `[edge]` table: what makes a machine the public end of tunnels.

    `url` is the pattern of HTTP names, `host` where TCP and UDP ports are reached. Traefik dials `listen`.
    The dashboard is at `url` with `admin` for a name, for visitors from `admin_allow`; empty: from anywhere.
    """

    url: Annotated[str, AfterValidator(_edge_url)]
    host: Annotated[str, AfterValidator(_host)]
    bind: Annotated[tuple[str, ...], AfterValidator(_addresses)] = ("0.0.0.0", "::")  # noqa: S104 - an edge is public
    tcp_ports: Annotated[str, AfterValidator(_port_span)] = "20000-29999"
    udp_ports: Annotated[str, AfterValidator(_port_span)] = "20000-29999"
    listen: HostPort = "127.0.0.1:7070"
    admin_allow: Annotated[tuple[str, ...], AfterValidator(_networks)] = ()
    # As whom Traefik runs, who alone may connect to `listen`; None: as the agent.
    traefik_user: str | None = None
    routes_dir: AbsolutePath
    access_log: AbsolutePath | None = None
    entry_point: str | None = None  # Traefik's, for HTTP names; None: web or websecure, by the scheme
    cert_resolver: str | None = None  # Traefik's, where there is no wildcard certificate
    wildcard_resolver: str | None = None  # Traefik's, that gets wildcard certificates by DNS
    tls_listen: HostPort | None = None  # clients without Traefik
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
    def port(self) -> int | None:
        """The port in the pattern; None where it is the scheme's own."""
        return int(self._match["number"]) if self._match["number"] else None

    @property
    def scheme(self) -> str:
        """`http` or `https`, as visitors see it."""
        return self._match["scheme"]

    @property
    def names_entry_point(self) -> str:
        """Traefik's entry point for HTTP names."""
        return self.entry_point or ("websecure" if self.scheme == "https" else "web")

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

    @property
    def admin(self) -> str:
        """The origin of the dashboard on this edge."""
        return self.url_of("admin")

    def span(self, kind: str) -> PortRange:
        """The ports of `tcp` or `udp`."""
        return PortRange.parse(self.tcp_ports if kind == "tcp" else self.udp_ports)
