"""The HTTP proxy on the way to an edge: of the account, or of the environment as curl reads it. No I/O.

https://everything.curl.dev/usingcurl/proxies/env
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from homeportd.tunnels.address import EdgeAddress, is_loopback

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
NONE: Final = "none"  # in an account: no proxy, whatever the environment says
STORED: Final = "homeport init --proxy"
# In the order in which they are looked at. Both cases: tools agree on neither.
VARIABLES: Final = {
    "http": ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"),
    "https": ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
    "tls": ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
}
EXCEPTIONS: Final = ("no_proxy", "NO_PROXY")
NAMES: Final = tuple(dict.fromkeys((*VARIABLES["http"], *VARIABLES["https"], *EXCEPTIONS)))


@dataclass(frozen=True)
class Proxy:
    """A proxy that is asked for a tunnel with CONNECT. As text it has no password. `source`: who named it."""

    secure: bool
    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    source: str = STORED

    @classmethod
    def parse(cls, text: str, source: str = STORED) -> Proxy:
        """Parse [http[s]://][user[:password]@]host[:port]. Raises ValueError, whose text has no password."""
        wrong = "is no address of a proxy, such as http://proxy.example.com:3128"
        if not text.isprintable():
            raise ValueError(f"{source} {wrong}")
        parts = urlsplit(text.strip() if "://" in text else f"http://{text.strip()}")
        if parts.scheme not in DEFAULT_PORTS:
            raise ValueError(f"{source} names a proxy of {parts.scheme}://; it has to be http:// or https://")
        try:
            port = parts.port
        except ValueError:
            port = 0
        host = parts.hostname or ""
        if port == 0 or not host or parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError(f"{source} {wrong}")
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if not (user + password).isprintable() or ":" in user:
            raise ValueError(f"{source} has a user or password that no proxy takes")
        return cls(parts.scheme == "https", host, port or DEFAULT_PORTS[parts.scheme], user, password, source)

    @property
    def netloc(self) -> str:
        """Host and port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a CONNECT that say who asks."""
        if not self.user and not self.password:
            return {}
        credentials = b64encode(f"{self.user}:{self.password}".encode()).decode("ascii")
        return {"Proxy-Authorization": f"Basic {credentials}"}

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return "https" if self.secure else "http"

    def with_password(self, password: str) -> str:
        """The whole URL, with a password in it. Raises ValueError."""
        made = f"{self.scheme}://{quote(self.user, safe='')}:{quote(password, safe='')}@{self.netloc}"
        self.parse(made, self.source)
        return made

    def __str__(self) -> str:
        return f"{self.scheme}://{self.netloc}"


def find(
    address: EdgeAddress, stored: str | None, environment: Mapping[str, str] = os.environ
) -> Proxy | None:
    """The proxy for an edge: `stored` in the account, else that of the environment; None: the edge is dialled.

    What NO_PROXY names is dialled, and this machine, unless the proxy is stored. Raises ValueError.
    """
    if stored == NONE or _is_exception(address, environment):
        return None
    if stored:
        return Proxy.parse(stored)
    if is_loopback(address.host):
        return None
    for name in VARIABLES[address.scheme]:
        if environment.get(name):
            return Proxy.parse(environment[name], name)
    return None


def _is_exception(address: EdgeAddress, environment: Mapping[str, str]) -> bool:
    listed = next((environment[name] for name in EXCEPTIONS if environment.get(name)), "")
    return any(_covers(entry, address) for entry in listed.replace(",", " ").split())


def _covers(entry: str, address: EdgeAddress) -> bool:
    """Whether an entry of NO_PROXY is about an address: `*`, a name and all below it, an address or a network."""
    if entry == "*":
        return True
    host = address.host.lower().rstrip(".")
    try:
        network, own = ip_network(entry.strip("[]"), strict=False), ip_address(host)
    except ValueError:
        pass
    else:
        return own.version == network.version and own in network
    name, colon, port = entry.lower().rpartition(":")
    if not colon:
        name = port
    elif port != str(address.port):
        return False
    name = name.strip("[]").removeprefix("*").strip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))
