"""Addresses of an edge and of a local server, as people write them. No I/O, and quick to import."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal, cast
from urllib.parse import urlsplit

Scheme = Literal["https", "http", "tls"]
TargetScheme = Literal["http", "https", "h2c"]  # h2c: HTTP/2 without TLS, as gRPC servers speak it
TARGET_SCHEMES = ("http", "https", "h2c")
DEFAULT_PORTS: dict[str, int] = {"https": 443, "http": 80, "tls": 443}
LOOPBACK = ("127.0.0.1", "::1")
MAX_HOST = 253  # characters, RFC 1035
UNIX = "unix:"
MAX_SOCKET_PATH = 107  # bytes, sockaddr_un without its closing zero

_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")


@dataclass(frozen=True)
class EdgeAddress:
    """The address at which an edge is dialled. `https` and `http` begin with an HTTP Upgrade, `tls` is TLS alone."""

    scheme: Scheme
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> EdgeAddress:
        """Parse scheme://host[:port]. Raises ValueError, whose text is for people."""
        if not text.isprintable():  # urlsplit leaves such characters out
            raise ValueError(f"{text!r} is not an edge's address, such as https://tunnel.example.com")
        parts = urlsplit(text.strip() if "://" in text else f"https://{text.strip()}")
        if parts.scheme not in DEFAULT_PORTS:
            raise ValueError(f"{text!r} is not an edge's address: it begins with https://, http:// or tls://")
        try:
            port = parts.port
        except ValueError:
            port = 0
        host = parts.hostname or ""
        plain = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username)
        if port == 0 or not plain or not _is_host(host):
            raise ValueError(f"{text!r} is not an edge's address, such as https://tunnel.example.com")
        return cls(cast(Scheme, parts.scheme), host, port or DEFAULT_PORTS[parts.scheme])

    @property
    def secure(self) -> bool:
        """Whether the connection uses TLS."""
        return self.scheme != "http"

    @property
    def is_local(self) -> bool:
        """Whether the host is this machine, by its name alone."""
        return is_local(self.host)

    @property
    def netloc(self) -> str:
        """Host and port as in an URL; the scheme's own port is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"


@dataclass(frozen=True)
class Target:
    """A local server: `3000`, `localhost:3000`, `192.168.1.5:22`, `[::1]:3000`, and what it speaks where that is said,
    `https://localhost:4444`; or a unix socket, `unix:/run/a.sock`.

    A unix socket has its path as `host`, and port 0.
    """

    host: str
    port: int
    scheme: TargetScheme | None = None

    @classmethod
    def parse(cls, text: str) -> Target:
        """Parse a target. Raises ValueError, whose text is for people."""
        if text.startswith(UNIX):
            path = text.removeprefix(UNIX)
            if not path.startswith("/") or not path.isprintable() or len(path.encode()) > MAX_SOCKET_PATH:
                raise ValueError(f"{text!r} is not a target: a unix socket is written as unix:/path")
            return cls(path, 0)
        before, has_scheme, rest = text.strip().rpartition("://")
        scheme = before.lower() if has_scheme else None
        if scheme not in (None, *TARGET_SCHEMES):
            raise ValueError(
                f"{text!r} is not a target: it begins with https://, http:// or h2c://, or with none"
            )
        written = rest.removesuffix("/") if has_scheme else rest
        host, separator, digits = written.rpartition(":")
        host = host.removeprefix("[").removesuffix("]") if separator else ""
        number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 5 else 0
        bracketed = written.startswith("[")
        if not 1 <= number <= 65535 or (host and not _is_host(host)) or (":" in host) != bracketed:
            raise ValueError(
                f"{text!r} is not a target: write a port, host:port or [address]:port, such as 3000"
            )
        return cls(host or "localhost", number, cast("TargetScheme | None", scheme))

    @property
    def addresses(self) -> tuple[str, ...]:
        """The hosts to dial, in this order: dev servers listen on either loopback address, or on both.

        Of a unix socket: its path.
        """
        return LOOPBACK if is_local(self.host) else (self.host,)

    @property
    def is_unix(self) -> bool:
        """Whether it is a unix socket."""
        return self.port == 0

    @property
    def netloc(self) -> str:
        """Host and port as in an URL; of a unix socket, what a person writes."""
        if self.is_unix:
            return f"{UNIX}{self.host}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}" if self.scheme else self.netloc


def is_local(host: str) -> bool:
    """Whether a name is one that RFC 6761 binds to this machine."""
    return host.lower().rstrip(".") == "localhost" or host.lower().rstrip(".").endswith(".localhost")


def is_loopback(host: str) -> bool:
    """Whether connections to this host stay on this machine."""
    try:
        return is_local(host) or ip_address(host).is_loopback
    except ValueError:
        return False


def _is_host(host: str) -> bool:
    if not host or len(host) > MAX_HOST:
        return False
    if ":" in host:
        try:
            return ip_address(host).version == 6
        except ValueError:
            return False
    return _HOST.fullmatch(host) is not None
