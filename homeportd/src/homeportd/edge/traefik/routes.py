"""The routes of HTTP names: Traefik's dynamic configuration, one file a name. `route` is pure, `Routes` writes.

One broken file freezes all updates of Traefik's file provider, so a file is whole when it appears: JSON,
which YAML includes, made under another name and renamed. https://doc.traefik.io/traefik/providers/file/
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from homeportd.gateway.pages import PASSCODE_FORM as FORM_PATH
from homeportd.networks import Network

PREFIX: Final = "homeport-"
FILE: Final = "tunnel-"  # how our files begin
# Above any rule that has the default, its length: the wildcard's, whose names these are.
PRIORITY: Final = 10_000
# Traefik reads .yml alone, but looks into folders too: what is not finished lies beside the others, with another end.
UNFINISHED: Final = ".new"
DOWN_FILE: Final = f"{FILE}agent-down.yml"  # of `agent_down`

# Headers by which proxies say who a visitor is and how the request came. A visitor may have sent them, Traefik leaves
# them (it deletes but those that it sets itself), and servers behind proxies believe them. X-Forwarded-Server would
# tell the name of this machine. roles/traefik deletes X-Homeport-Tunnel on the edge's own routes.
UNTRUSTED_HEADERS: Final = (
    "Forwarded",
    "X-Forwarded",
    "X-Forwarded-Scheme",
    "X-Forwarded-Server",
    "X-Forwarded-Ssl",
    "X-Forwarded-Path",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-Access-Token",
    "X-Forwarded-Client-Cert",
    "X-Forwarded-Client-Dn",
    "X-Scheme",
    "X-Client-Ip",
    "X-Cluster-Client-Ip",
    "X-Original-Forwarded-For",
    "X-Original-Host",
    "X-Original-Url",
    "X-Rewrite-Url",
    "Cf-Connecting-Ip",
    "Cf-Access-Authenticated-User-Email",
    "Cf-Access-Jwt-Assertion",
    "True-Client-Ip",
    "Fastly-Client-Ip",
    "Tailscale-User-Login",
    "Tailscale-User-Name",
    "X-Auth-Request-User",
    "X-Auth-Request-Email",
    "X-Auth-Request-Groups",
    "X-Authenticated-User",
    "X-Webauth-User",
    "X-Remote-User",
    "Remote-User",
    "Remote-Groups",
    "Remote-Email",
    "Remote-Name",
    "X-Ssl-Client-Cert",
    "X-Ssl-Client-Verify",
    "X-Ssl-Client-S-Dn",
    "X-Client-Cert",
    "Ssl-Client-Cert",
    "Front-End-Https",
    *(
        f"X-Homeport-{name}"
        for name in (
            "Client",
            "Door",
            "Grant",
            "Kind",
            "Lane",
            "Length",
            "Listener",
            "Port",
            "Tunnel",
            "Upgrade",
            "Upstream",
        )
    ),
)

_FORM = f"Path(`{FORM_PATH}`)"
_SAFE_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_SAFE_ID = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True)
class Domain:
    """A host name that leads to a tunnel besides its own."""

    host: str
    cert_resolver: str | None


@dataclass(frozen=True)
class Route:
    """The route of one HTTP name. `origin`: as the visitor's browser names it."""

    id: str
    host: str
    origin: str
    upstream: str  # http://127.0.0.1:PORT, the name's own listener; h2c:// where HTTP/2 is spoken to it
    edge: str  # http://127.0.0.1:7070, for the passcode
    entry_point: str
    tls: bool
    cert_resolver: str | None
    allow: tuple[tuple[Network, ...], ...]
    # What Host, X-Forwarded-* and our own Origin become, where the client cannot do it.
    rewrite_host: str | None
    passcode: bool
    domains: tuple[Domain, ...] = ()
    workstation: bool = False  # names such as 5173-HOST lead there too
    subdomains: bool = False  # names such as foo.HOST lead there too
    wildcard_resolver: str | None = None  # for a certificate of these


def route(wanted: Route) -> dict[str, Any]:
    """The content of the file of one route, to be written as JSON."""
    name = PREFIX + wanted.id
    middlewares: dict[str, Any] = {}
    chain = []

    def add(suffix: str, content: dict[str, Any]) -> str:
        middlewares[f"{name}-{suffix}"] = content
        return f"{name}-{suffix}"

    for number, networks in enumerate(wanted.allow):
        chain.append(
            add(f"allow{number}", {"ipAllowList": {"sourceRange": [str(network) for network in networks]}})
        )
    guarded = list(chain)
    # Traefik would make X-Forwarded-Port of the visitor's Host.
    forwarded = {**dict.fromkeys(UNTRUSTED_HEADERS, ""), "X-Forwarded-Port": str(_port(wanted.origin))}
    chain.append(add("forwarded", {"headers": {"customRequestHeaders": forwarded}}))
    if wanted.passcode:
        chain.append(
            add(
                "passcode",
                {
                    "forwardAuth": {
                        "address": f"{wanted.edge}/.homeport/passcode/{wanted.id}",
                        "authResponseHeaders": ["Cookie", "Authorization"],
                        "maxResponseBodySize": 65536,
                    }
                },
            )
        )
    same_origin = list(chain)
    if wanted.rewrite_host is not None:
        hosts = {
            "Host": wanted.rewrite_host,
            "X-Forwarded-Host": wanted.rewrite_host,
            "X-Forwarded-Proto": "http",
            "X-Forwarded-Port": str(_port(f"http://{wanted.rewrite_host}")),
        }
        chain.append(add("host", {"headers": {"customRequestHeaders": hosts}}))
        hosts = {**hosts, "Origin": f"http://{wanted.rewrite_host}"}
        same_origin.append(add("origin", {"headers": {"customRequestHeaders": hosts}}))
    # The form alone is for the edge: what lies below /.homeport/ else is that of a workstation's port.
    asks = {
        "priority": 3 * PRIORITY,
        "service": f"{name}-edge",
        "middlewares": [*guarded, f"{name}-id"],
    }
    if wanted.passcode:
        add("id", {"headers": {"customRequestHeaders": {"X-Homeport-Tunnel": wanted.id}}})
    routers: dict[str, Any] = {}
    own = Domain(wanted.host, wanted.cert_resolver)
    for number, domain in enumerate((own, *wanted.domains)):
        scheme, _, address = wanted.origin.partition("://")
        if number:
            address = address.replace(wanted.host, domain.host, 1)
        rule = f"Host(`{domain.host}`)"
        suffix = f"-d{number}" if number else ""
        router: dict[str, Any] = {"entryPoints": [wanted.entry_point], "service": name}
        if wanted.tls:
            router["tls"] = {"certResolver": domain.cert_resolver} if domain.cert_resolver else {}
        routers[name + suffix] = {**router, "rule": rule, "priority": PRIORITY, "middlewares": chain}
        if wanted.rewrite_host is not None:
            # Only our own origin is translated: a foreign one is for the server's own checks to refuse.
            routers[f"{name}{suffix}-origin"] = {
                **router,
                "rule": f"{rule} && Header(`Origin`, `{scheme}://{address}`)",
                "priority": 2 * PRIORITY,
                "middlewares": same_origin,
            }
        if wanted.passcode:
            routers[f"{name}{suffix}-own"] = {**router, **asks, "rule": f"{rule} && {_FORM}"}
    if wanted.subdomains:
        # Below any name that is a tunnel's own: that leads to that one.
        routers |= _family(wanted, "below", "[a-z0-9_-]+\\.", _wildcard(wanted), PRIORITY - 2, chain, asks)
    if wanted.workstation:
        routers |= _family(wanted, "ports", "[1-9][0-9]{0,4}-", {}, PRIORITY - 1, chain, asks)
    services: dict[str, Any] = {name: _service(wanted.upstream)}
    if wanted.passcode:
        services[f"{name}-edge"] = _service(wanted.edge)
    return {"http": {"routers": routers, "services": services, "middlewares": middlewares}}


def _family(
    wanted: Route,
    suffix: str,
    prefix: str,
    tls: dict[str, Any],
    priority: int,
    chain: list[str],
    asks: dict[str, Any],
) -> dict[str, Any]:
    """The routers of the names that are a prefix, a regular expression, before the route's own; `asks`: of the form."""
    name = PREFIX + wanted.id
    router = {
        "entryPoints": [wanted.entry_point],
        "service": name,
        "rule": f"HostRegexp(`^{prefix}{re.escape(wanted.host)}$`)",
        **({"tls": tls} if wanted.tls else {}),
    }
    found = {f"{name}-{suffix}": {**router, "priority": priority, "middlewares": chain}}
    if wanted.passcode:
        form = {**router, **asks, "rule": f"{router['rule']} && {_FORM}", "priority": priority + 2 * PRIORITY}
        found[f"{name}-{suffix}-own"] = form
    return found


def _wildcard(wanted: Route) -> dict[str, Any]:
    """TLS for the names below the route's own."""
    if wanted.wildcard_resolver is None:
        return {}
    return {"certResolver": wanted.wildcard_resolver, "domains": [{"main": f"*.{wanted.host}"}]}


def _port(origin: str) -> int:
    parts = urlsplit(origin)
    return parts.port or (443 if parts.scheme == "https" else 80)


def _service(url: str) -> dict[str, Any]:
    # Event streams and the like pass at once.
    return {"loadBalancer": {"servers": [{"url": url}], "responseForwarding": {"flushInterval": "1ms"}}}


def check(wanted: Route) -> None:
    """Refuse what must not get into a rule. Raises ValueError."""
    if not _SAFE_ID.fullmatch(wanted.id):
        raise ValueError(f"{wanted.id!r} is no id")
    for host in (wanted.host, *(domain.host for domain in wanted.domains)):
        if not _SAFE_HOST.fullmatch(host):
            raise ValueError(f"{host!r} is no host name")
    if any(char in wanted.origin for char in "`\\\n"):
        raise ValueError(f"{wanted.origin!r} is no origin")


class Routes:
    """The folder of route files that Traefik watches."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def start(self, wanted: list[Route]) -> None:
        """Write the files of all routes, and remove those that an earlier agent left. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in self._folder.glob(f"{FILE}*{UNFINISHED}"):
            path.unlink()
        for item in wanted:
            self.write(item)
        names = {DOWN_FILE, *(self._path(item.id).name for item in wanted)}
        for path in self._ours():
            if path.name not in names:
                path.unlink()

    def write(self, wanted: Route) -> None:
        """Write the file of a route, unless it is the same already. Raises OSError, ValueError."""
        check(wanted)
        path = self._path(wanted.id)
        text = json.dumps(route(wanted), indent=1) + "\n"
        with contextlib.suppress(OSError):
            if path.read_text() == text:
                return
        fresh = path.with_suffix(UNFINISHED)
        fresh.write_text(text)
        fresh.chmod(0o640)
        fresh.rename(path)

    def remove(self, id_: str) -> None:
        """Remove the file of a route; harmless when it is not there. Raises OSError."""
        self._path(id_).unlink(missing_ok=True)

    def _path(self, id_: str) -> Path:
        return self._folder / f"{FILE}{id_}.yml"

    def _ours(self) -> Iterator[Path]:
        return self._folder.glob(f"{FILE}*.yml")
