"""The names by which a local server calls itself, and what they become for its visitors. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from ipaddress import ip_address
from typing import Final

DEFAULT_PORTS: Final = {"http": 80, "https": 443}

# What browsers take for the authority of an URL; they read \ as /. User names are left out: such an URL is foreign.
_URL: Final = re.compile(
    r"(?:(https?):)?[/\\]{2}([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{0,5}))?(?=[/\\?#]|$)(.*)",
    re.IGNORECASE | re.DOTALL,
)
_NAME: Final = re.compile(r"[a-z0-9._-]*[a-z_-][a-z0-9_-]*")
_IGNORED: Final = str.maketrans("", "", "\t\r\n")  # characters that browsers leave out of an URL,
_AROUND: Final = "".join(map(chr, range(33)))  # and at its ends


@dataclass(frozen=True)
class Url:
    """An absolute URL of the web: its scheme (empty where it is left to the page), host, port, and what follows."""

    scheme: str
    host: str
    port: int | None
    rest: str  # path, query and fragment

    @classmethod
    def parse(cls, text: str) -> Url | None:
        """The URL as a browser reads it; None for anything else, such as a path."""
        match = _URL.fullmatch(text.translate(_IGNORED).strip(_AROUND))
        if match is None:
            return None
        scheme = (match[1] or "").lower()
        port = int(match[3]) if match[3] else DEFAULT_PORTS.get(scheme)
        return cls(scheme, match[2].lower().removesuffix("."), port, match[4])

    def is_at(self, origin: Url) -> bool:
        """Whether the URL belongs to an origin."""
        return (self.scheme, self.host, self.port) == (origin.scheme, origin.host, origin.port)


@dataclass(frozen=True)
class LocalNames:
    """The names of one local server, which listens on `port` of `host`.

    `netloc`: host and port that its requests name, where these are rewritten; None: it sees the public name.
    `public`: the tunnel's own origin, where names below lead here too; `label`: of the one that a request is for.
    `scheme`: what it speaks. `is_own_address`: whether an IP address that is not loopback is the server's machine.
    """

    host: str
    port: int
    netloc: str | None
    is_own_address: Callable[[str], bool]
    scheme: str = "http"
    public: Url | None = None
    label: str = ""

    def at(self, host: str) -> LocalNames:
        """The names for a request to a public host: below it the server sees names below its own."""
        if self.public is None or self.origin is None or not host.endswith(f".{self.public.host}"):
            return self
        if not _NAME.fullmatch(self.origin.host):
            return self  # an address has nothing below it
        label = host.removesuffix(f".{self.public.host}")
        return replace(self, netloc=f"{label}.{self.netloc}", label=label)

    @cached_property
    def origin(self) -> Url | None:
        """The origin that the server sees as its own; None where it sees the public one."""
        return None if self.netloc is None else Url.parse(f"{self.scheme}://{self.netloc}")

    def public_origin(self, url: Url, origin: str) -> str | None:
        """The public origin of an URL of this server, whose request came to `origin`; None for any other."""
        label = self._label_of(url)
        return None if label is None else origin if label == self.label else self._origin_at(label)

    def relative(self, text: str) -> str:
        """The reference without the server's own name where an URL leads to this server; any other as it is."""
        url = Url.parse(text)
        label = None if url is None else self._label_of(url)
        if url is None or label is None:
            return text
        path = "/" + url.rest[1:] if url.rest[:1] in ("/", "\\") else "/" + url.rest
        if label != self.label:
            return f"{self._origin_at(label)}{path}"
        # A reference that begins with // would name a host.
        return f"/.{path}" if path[1:2] in ("/", "\\") else path

    def local_origin(self, url: Url) -> str | None:
        """The origin that the server sees in place of a name of the tunnel's, above or below; None for any other."""
        if self.public is None or self.netloc is None or self.origin is None:
            return None
        base = self.netloc.removeprefix(self._prefix)
        if url.is_at(self.public):
            return f"{self.scheme}://{base}"
        label, _, above = url.host.partition(".")
        below = (url.scheme, above, url.port) == (self.public.scheme, self.public.host, self.public.port)
        return f"{self.scheme}://{label}.{base}" if below else None

    @cached_property
    def _prefix(self) -> str:
        return f"{self.label}." if self.label else ""

    def _origin_at(self, label: str) -> str | None:
        if self.public is None:
            return None
        port = "" if self.public.port == DEFAULT_PORTS[self.public.scheme] else f":{self.public.port}"
        return f"{self.public.scheme}://{label}{'.' if label else ''}{self.public.host}{port}"

    def _label_of(self, url: Url) -> str | None:
        """What stands before this server's own name in an URL: mostly nothing; None for the URL of another server."""
        port = url.port or DEFAULT_PORTS[url.scheme or self.scheme]
        if self.origin is not None and port == self.origin.port:
            if url.host == self.origin.host:
                return self.label
            if self.public is not None:
                base = self.origin.host.removeprefix(self._prefix)
                label = "" if url.host == base else url.host.removesuffix(f".{base}")
                if label != url.host and "." not in label:
                    return label
        return "" if port == self.port and self._is_own_host(url.host) else None

    def cookie_domain(self, domain: str) -> str | None:
        """What a cookie's domain becomes: the tunnel's own name where names below lead here, else none."""
        if not self.is_own_domain(domain):
            return domain
        base = self.origin.host.removeprefix(self._prefix) if self.origin is not None else ""
        for_all = self.public is not None and domain.strip().lstrip(".").lower() == base
        return self.public.host if for_all and self.public is not None else None

    def is_own_domain(self, domain: str) -> bool:
        """Whether a cookie's domain is one of this server's names, or one above the name that its requests have."""
        host = domain.strip().lstrip(".").lower()
        if self.origin is not None and host and f".{self.origin.host}".endswith(f".{host}"):
            return True
        return self._is_own_host(host)

    @cached_property
    def _is_one_of_many(self) -> bool:
        """Whether the server tells sites apart by names below localhost: the others are not this one."""
        return self.origin is not None and self.public is None and self.origin.host.endswith(".localhost")

    def _is_own_host(self, host: str) -> bool:
        if self._is_one_of_many:
            return False
        if host in ("localhost", self.host):
            return True
        try:
            address = ip_address(host.removeprefix("[").removesuffix("]"))
        except ValueError:
            return False
        return (
            address.is_loopback
            or address.is_unspecified
            or str(address) == self.host
            or self.is_own_address(str(address))
        )
