"""Checks of the way from a browser to the gateway: names (DNS), Caddy, the gateway behind it.

browser → name (DNS) → Caddy → gateway (decision) → dev server
                          └──→ agent (dashboard, API)
"""

from __future__ import annotations

import http.client
import os
import shutil
from typing import Final
from urllib.parse import urlsplit

from homeportd.cli.doctor.check import Check, Machine, Step
from homeportd.cli.doctor.http import Answer, find_listener, get, reason, resolve
from homeportd.tunnels.address import is_local

GATEWAY_PATH: Final = "/.homeport/doctor"  # no such page, answers the gateway; no dev server is asked
PROBE_PORT: Final = 3000  # whose origin is asked when no port is named


def names(dashboard: str, of_port: str, rootless: bool = False) -> Check:
    """Whether the host names of two origins, the dashboard's and a port's, can be resolved.

    `rootless`: an installation without root; its fixes need none.
    """
    hosts = [urlsplit(origin).hostname or "" for origin in (dashboard, of_port)]
    found = {host: resolve(host) for host in hosts}
    missing = [host for host in hosts if not found[host]]
    if not missing:
        return Check("names", "ok", "; ".join(f"{host} is {found[host][0]}" for host in hosts))
    if all(is_local(host) for host in missing):
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
    """The fix by which this machine's resolver knows names below localhost, as far as this user can apply it."""
    by_hand = f"add to /etc/hosts: 127.0.0.1 {' '.join(missing)}"
    if shutil.which("apt-get") is None:
        return by_hand
    install = "apt-get install libnss-myhostname"
    if os.geteuid() == 0:
        return f"{install}, or localhost_names_enabled: true in the inventory"
    if shutil.which("sudo") and not rootless:
        return f"sudo {install}, or localhost_names_enabled: true in the inventory"
    return f"as root: {install}"


def caddy(dashboard: str, agent_up: bool, remedy: str) -> Check:
    """Whether the dashboard's real address leads through Caddy to the agent."""
    answer = _through_caddy("caddy", dashboard, "/api/health", agent_up, remedy)
    if isinstance(answer, Check):
        return answer
    if answer.status == 200 and b'"ok"' in answer.body:
        return Check("caddy", "ok", f"{dashboard} leads to the agent")
    host = _login_host(answer, dashboard)
    if host:
        return Check("caddy", "note", f"{dashboard} is behind {host}, which asks for a login first")
    return Check(
        "caddy", "fail", f"something else answers at {dashboard} ({answer.status})", _occupied(dashboard)
    )


def decisions(origin: str, agent_up: bool, remedy: str) -> Check:
    """Whether a request to a port's origin reaches the gateway."""
    answer = _through_caddy("decisions", origin, GATEWAY_PATH, agent_up, remedy)
    if isinstance(answer, Check):
        return answer
    if answer.status == 404 and b"Homeport" in answer.body:
        return Check("decisions", "ok", f"the gateway decides at {origin}")
    host = _login_host(answer, origin)
    if host:
        return Check("decisions", "note", f"{origin} is behind {host}, which asks for a login first")
    return Check(
        "decisions", "fail", f"something else answers at {origin} ({answer.status})", _occupied(origin)
    )


def _login_host(answer: Answer, origin: str) -> str | None:
    """The other host that a redirect leads to, such as that of Cloudflare Access."""
    host = urlsplit(answer.location).hostname
    return host if host and host != urlsplit(origin).hostname else None


def _through_caddy(name: str, origin: str, path: str, agent_up: bool, remedy: str) -> Answer | Check:
    """The agent's answer through Caddy; a failed check when Caddy is missing, or has no agent behind it."""
    try:
        answer = get(origin, path)
    except OSError as error:
        return Check(name, "fail", f"nothing answers at {origin} ({reason(error)})", remedy)
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


def _occupied(origin: str) -> str:
    parts = urlsplit(origin)
    number = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{find_listener(number)}; then run bin/site"


def _names(machine: Machine) -> list[Check]:
    if (
        machine.settings is None or machine.settings.origins is None
    ):  # an edge alone: no Caddy, no dev servers
        return []
    rootless = machine.settings.user_reason == "rootless"
    return [names(machine.settings.origins.dashboard, _origin(machine), rootless)]


def _caddy(machine: Machine) -> list[Check]:
    if machine.settings is None or machine.settings.origins is None:
        return []
    dashboard = machine.settings.origins.dashboard
    return [caddy(dashboard, machine.agent_is_up, _remedy(machine))]


def _decisions(machine: Machine) -> list[Check]:
    if machine.settings is None or machine.settings.origins is None:
        return []
    return [decisions(_origin(machine), machine.agent_is_up, _remedy(machine))]


def _remedy(machine: Machine) -> str:
    """What to look at where nothing answers: the tunnel to the edge, or Caddy."""
    if machine.settings is not None and machine.settings.edge_name is not None:
        return "homeport daemon status: its tunnel leads there (homeport daemon start)"
    return machine.remedy("homeport-caddy")


def _origin(machine: Machine) -> str:
    """The origin of the port that was named, or of one that is tried in its place."""
    origins = machine.settings.origins if machine.settings else None
    return origins.of_port(machine.port or PROBE_PORT) if origins else ""


STEPS: Final = (
    Step(60, "names", _names, checks=("names",)),
    Step(70, "caddy", _caddy, checks=("caddy",)),
    Step(80, "decisions", _decisions, checks=("decisions",)),
)
