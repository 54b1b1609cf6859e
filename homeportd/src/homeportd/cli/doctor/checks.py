"""The hops between a browser and a dev server, each tested for itself: what works, what does not, what to do.

browser → name (DNS) → Caddy → gateway (decision) → dev server
                          └──→ agent (dashboard, API) ← settings, sockets
"""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from homeportd.cli.api_types import Port

TIMEOUT: Final = 3.0  # seconds for one hop
MAX_BODY: Final = 64 * 1024  # bytes of an answer that are read
SOCKETS: Final = ("web", "gateway", "relay")
GATEWAY_PATH: Final = "/.homeport/doctor"  # no such page, says the gateway; no dev server is asked
PROBE_PORT: Final = 3000  # whose origin is asked when no port is named
_LOOPBACK: Final = ("127.0.0.1", "::1")

State = Literal["ok", "note", "fail", "skipped"]


@dataclass(frozen=True)
class Check:
    """One tested hop. `note`: works, but know this. `skipped`: cannot be tested before another is mended."""

    name: str
    state: State
    detail: str
    fix: str | None = None


@dataclass(frozen=True)
class Answer:
    """What came back over HTTP. `location` is empty without a redirect."""

    status: int
    location: str
    body: bytes


def sockets(folder: Path, remedy: str, names: tuple[str, ...] = SOCKETS) -> Check:
    """Whether Caddy has our sockets to talk to, with somebody behind each."""
    for name in names:
        path = folder / f"{name}.sock"
        try:
            if not stat.S_ISSOCK(path.stat().st_mode):
                return Check("sockets", "fail", f"{path} is not a socket", f"remove it, then {remedy}")
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                probe.settimeout(TIMEOUT)
                probe.connect(str(path))
        except PermissionError as error:
            if folder.stat().st_uid == os.getuid():
                return Check("sockets", "fail", f"{path}: {error.strerror}", remedy)
            return Check("sockets", "skipped", f"{folder} is for the account that the agent serves, and root")
        except OSError as error:
            return Check("sockets", "fail", f"{path}: {error.strerror or error}", remedy)
    return Check("sockets", "ok", f"{', '.join(names)} in {folder}")


def names(dashboard: str, of_port: str, rootless: bool = False) -> Check:
    """Whether the names of the dashboard and of a port lead somewhere. Both are origins.

    `rootless`: an installation without root, whose person is told of none.
    """
    hosts = [urlsplit(origin).hostname or "" for origin in (dashboard, of_port)]
    found = {host: resolve(host) for host in hosts}
    missing = [host for host in hosts if not found[host]]
    if not missing:
        return Check("names", "ok", "; ".join(f"{host} is {found[host][0]}" for host in hosts))
    if all(_is_local(host) for host in missing):
        return Check(
            "names",
            "note",
            f"browsers and curl find {' and '.join(missing)} themselves; Node, Python and others ask this"
            " machine's resolver, which does not know such names",
            _local_names(missing, rootless),
        )
    return Check(
        "names",
        "fail",
        f"{' and '.join(missing)} cannot be resolved here",
        f"add a DNS record for {missing[0]}"
        + (" (a wildcard covers every port)" if of_port.endswith(missing[0]) else ""),
    )


def _local_names(missing: list[str], rootless: bool) -> str:
    """What makes this machine's resolver know names below localhost, as far as this user can do it."""
    by_hand = f"add to /etc/hosts: 127.0.0.1 {' '.join(missing)}"
    if shutil.which("apt-get") is None:
        return by_hand
    install = "apt-get install libnss-myhostname"
    if os.geteuid() == 0:
        return f"{install}, or localhost_names_enabled: true in the inventory"
    if shutil.which("sudo") and not rootless:
        return f"sudo {install}, or localhost_names_enabled: true in the inventory"
    return f"as root: {install}"


def front_door(dashboard: str, agent_up: bool, remedy: str) -> Check:
    """Whether the dashboard's real address leads through Caddy to the agent."""
    answer = _through_caddy("caddy", dashboard, "/api/health", agent_up, remedy)
    if isinstance(answer, Check):
        return answer
    if answer.status == 200 and b'"ok"' in answer.body:
        return Check("caddy", "ok", f"{dashboard} leads to the agent")
    gate = _gate(answer, dashboard)
    if gate:
        return Check("caddy", "note", f"{dashboard} is behind {gate}, which asks who you are first")
    return Check(
        "caddy", "fail", f"something else answers at {dashboard} ({answer.status})", _occupied(dashboard)
    )


def decisions(origin: str, agent_up: bool, remedy: str) -> Check:
    """Whether a request to a port's origin reaches the gateway, which decides."""
    answer = _through_caddy("decisions", origin, GATEWAY_PATH, agent_up, remedy)
    if isinstance(answer, Check):
        return answer
    if answer.status == 404 and b"Homeport" in answer.body:
        return Check("decisions", "ok", f"the gateway decides at {origin}")
    gate = _gate(answer, origin)
    if gate:
        return Check("decisions", "note", f"{origin} is behind {gate}, which asks who you are first")
    return Check(
        "decisions", "fail", f"something else answers at {origin} ({answer.status})", _occupied(origin)
    )


def _gate(answer: Answer, origin: str) -> str | None:
    """The host that a redirect leads away to, such as that of Cloudflare Access."""
    host = urlsplit(answer.location).hostname
    return host if host and host != urlsplit(origin).hostname else None


def _through_caddy(name: str, origin: str, path: str, agent_up: bool, remedy: str) -> Answer | Check:
    """What the agent answers through Caddy; a failed Hop when Caddy is missing, or has no agent behind it."""
    try:
        answer = ask(origin, path)
    except OSError as error:
        return Check(name, "fail", f"nothing answers at {origin} ({_reason(error)})", remedy)
    except http.client.HTTPException:
        return Check(name, "fail", f"what answers at {origin} is not HTTP", _occupied(origin))
    if answer.status in (502, 503):
        detail = f"Caddy is up, and does not reach the agent: {origin} is closed ({answer.status})"
        fix = "run bin/site: it lets Caddy use the agent's sockets" if agent_up else "mend the agent first"
        return Check(name, "fail", detail, fix)
    if answer.status == 421:
        return Check(
            name, "fail", f"Caddy does not serve {origin}", "run bin/site: it writes the Caddyfile anew"
        )
    return answer


def outside(number: int, why: Literal["own", "ranges"], ranges: tuple[str, ...]) -> Check:
    """A port at which Homeport does not look."""
    if why == "own":
        return Check(
            "listener", "fail", f"port {number} is one of Homeport's own", "homeport list shows the others"
        )
    return Check(
        "listener",
        "fail",
        f"port {number} is outside the port ranges that Homeport looks at ({', '.join(ranges)})",
        "add it to homeport_port_ranges in the inventory and run bin/site",
    )


def listener(number: int, port: Port | None) -> Check:
    """Whether something listens on a port, and for whom."""
    if port is None or not port["listening"]:
        return Check("listener", "fail", f"nothing listens on port {number}", "start the dev server")
    addresses = ", ".join(port["addresses"])
    if any(address in ("0.0.0.0", "::", "::ffff:0.0.0.0") for address in port["addresses"]):  # noqa: S104 - compared
        return Check(
            "listener",
            "note",
            f"listens on {addresses}: whoever reaches this machine's network reaches it past Homeport",
            "bind it to 127.0.0.1, or keep the port closed in the firewall",
        )
    return Check("listener", "ok", f"listens on {addresses}")


def speaks_http(port: Port) -> Check:
    """Whether the dev server itself answers HTTP."""
    known = port.get("caution")
    if known and known["kind"] == "not-http":
        return Check("dev server", "fail", known["text"].rstrip("."), known["command"])
    host = upstream(port["addresses"])
    connection = http.client.HTTPConnection(host, port["port"], timeout=TIMEOUT)
    try:
        connection.request("GET", "/", headers={"Host": f"localhost:{port['port']}"})
        status = connection.getresponse().status
    except TimeoutError:
        return Check(
            "dev server",
            "fail",
            f"accepts, and says nothing for {TIMEOUT:g} s",
            "look at its own output; restart it",
        )
    except OSError as error:
        return Check("dev server", "fail", f"refuses at {host} ({_reason(error)})", "restart it")
    except http.client.HTTPException:
        return Check(
            "dev server",
            "fail",
            "does not speak plain HTTP",
            "switch off its own HTTPS: Homeport is in front of it",
        )
    finally:
        connection.close()
    if status >= 500:
        return Check(
            "dev server", "note", f"answers at {host} with status {status}", "look at its own output"
        )
    return Check("dev server", "ok", f"answers at {host} with status {status}")


def ask(origin: str, path: str) -> Answer:
    """GET a path of an origin, as a browser would find it; raises OSError or HTTPException."""
    parts = urlsplit(origin)
    host = parts.hostname or ""
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    targets = _LOOPBACK if _is_local(host) else (host,)
    failed: OSError | None = None
    for target in targets:
        connection = kind(target, parts.port, timeout=TIMEOUT)
        try:
            connection.request("GET", path, headers={"Host": parts.netloc, "User-Agent": "homeport-doctor"})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers.get("Location", ""), answer.read(MAX_BODY))
        except OSError as error:
            failed = failed or error
        finally:
            connection.close()
    raise failed or OSError("no address")


def resolve(host: str) -> list[str]:
    """The addresses of a name; none when TIMEOUT passes, which the system's resolver itself does not know."""
    return _within(TIMEOUT, lambda: sorted({str(info[4][0]) for info in socket.getaddrinfo(host, None)}))


def _within(seconds: float, work: Callable[[], list[str]]) -> list[str]:
    result: list[str] = []

    def run() -> None:
        try:
            result.extend(work())
        except (OSError, UnicodeError):
            return

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    return list(result)


def upstream(addresses: list[str]) -> str:
    """Where to dial a listener: IPv4 first, a wildcard on loopback."""
    address = min(addresses, key=lambda text: ":" in text)
    return {"0.0.0.0": "127.0.0.1", "::ffff:0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104


def _is_local(host: str) -> bool:
    """Names that RFC 6761 binds to this machine."""
    return host == "localhost" or host.endswith(".localhost")


def _reason(error: OSError) -> str:
    return "time-out" if isinstance(error, TimeoutError) else error.strerror or str(error)


def _occupied(origin: str) -> str:
    parts = urlsplit(origin)
    number = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{whose(number)}; then run bin/site"


def whose(number: int) -> str:
    """How to see which program has a port, as far as this machine has the tool."""
    if shutil.which("ss"):
        return f"see which program has it, as root: ss -ltnp 'sport = :{number}'"
    return f"find the program that has port {number}"
