"""Checks of an edge, made on the edge itself: Traefik, its route to the agent, its certificate, its names.

client, visitor → name (DNS) → Traefik → agent
"""

from __future__ import annotations

import http.client
import ssl
from typing import Final
from urllib.parse import urlsplit

from homeportd.cli.doctor.check import Check, Machine, Step
from homeportd.cli.doctor.http import TIMEOUT, find_listener, reason, resolve
from homeportd.edge.settings import EdgeSettings

PATH: Final = "/.homeport/connect"  # at which clients connect; 426 without an Upgrade
UPGRADE_REQUIRED: Final = 426
UNSIGNED: Final = (
    b"TRAEFIK DEFAULT CERT"  # in the certificate that Traefik shows while it has none for a name
)


def edge(settings: EdgeSettings, remedy: str) -> list[Check]:
    """Whether Traefik leads clients to the agent, has a certificate, and whether the names can be resolved."""
    parts = urlsplit(settings.url_of("name").replace("name.", "", 1))
    port = parts.port or (443 if parts.scheme == "https" else 80)
    target = _local_address(settings)
    where = f"{target}:{port}"
    try:
        status, certificate = _ask(parts.scheme, target, port, settings.base)
    except OSError as error:
        return [Check("traefik", "fail", f"nothing answers at {where} ({reason(error)})", remedy)]
    except http.client.HTTPException:
        return [
            Check(
                "traefik",
                "fail",
                f"what answers at {where} is not HTTP",
                find_listener(port),
            )
        ]
    if status != UPGRADE_REQUIRED:
        detail = f"{where} answers {status} where clients come to: Traefik does not lead to the agent"
        return [Check("traefik", "fail", detail, "run bin/site: it writes the edge's routes anew")]
    found = [Check("traefik", "ok", f"{where} leads to the agent")]
    if parts.scheme == "https":
        found.append(_certificate(certificate, settings))
    if not settings.base.endswith("localhost"):
        found.append(_names(settings))
    return found


def _ask(scheme: str, target: str, port: int, base: str) -> tuple[int, bytes]:
    """The status for a client without an Upgrade, and the certificate in DER, which is not verified."""
    connection = http.client.HTTPConnection(target, port, timeout=TIMEOUT)
    try:
        connection.connect()
        certificate = b""
        if scheme == "https":
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            secured = context.wrap_socket(connection.sock, server_hostname=base)
            connection.sock = secured
            certificate = secured.getpeercert(binary_form=True) or b""
        connection.request("GET", PATH, headers={"Host": base, "User-Agent": "homeport-doctor"})
        return connection.getresponse().status, certificate
    finally:
        connection.close()


def _certificate(certificate: bytes, settings: EdgeSettings) -> Check:
    if UNSIGNED not in certificate:
        return Check("tls", "ok", f"there is one for {settings.base}")
    return Check(
        "tls",
        "fail",
        f"Traefik has none for {settings.base} yet",
        f"let {settings.base} lead here and port 443 be open; Traefik's log says what the authority answered",
    )


def _names(settings: EdgeSettings) -> Check:
    probe = settings.host_of("homeport-doctor")
    missing = [host for host in (settings.base, probe) if not resolve(host)]
    if not missing:
        return Check("names", "ok", f"{settings.base} and every name below it are in the DNS")
    wanted = settings.base if settings.base in missing else f"*.{settings.base}"
    return Check("names", "fail", f"{missing[0]} cannot be resolved here", f"add a DNS record for {wanted}")


def _local_address(settings: EdgeSettings) -> str:
    """An address of this machine at which Traefik listens, as far as the agent's own listeners tell."""
    first = settings.bind[0]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(first, first)  # noqa: S104 - compared


def _edge(machine: Machine) -> list[Check]:
    if machine.settings is None or machine.settings.edge is None:
        return []
    return edge(machine.settings.edge, machine.remedy("homeport-traefik"))


STEPS: Final = (Step(50, "traefik", _edge),)
