"""Traefik before an edge, set up as the role `traefik` does it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from .installation import program

ANY_HOST = "HostRegexp(`.+`)"
SECURE = "websecure"  # the entry point that speaks TLS; the other one is `web`


def configure(
    folder: Path,
    routes: Path,
    listen: str,
    ports: Mapping[str, int],
    *,
    rule: str = ANY_HOST,
    entry_point: Mapping[str, object] | None = None,
    certificates: tuple[tuple[Path, Path], ...] = (),
    **more: object,
) -> tuple[str, str]:
    """Write `traefik.yml` into `folder` and the lasting route into `routes`; the command that starts Traefik.

    `listen`: HOST:PORT of the edge, which gets what no other route takes. `ports`: of 127.0.0.1, by entry point, each
    of which has the settings `entry_point`. `certificates`: files of certificate and key. `more`: of traefik.yml.
    """
    routers = {
        f"fallback-{name}": {
            "rule": rule,
            "priority": 1,
            "entryPoints": [name],
            "service": "edge",
            **({"tls": {}} if name == SECURE else {}),
        }
        for name in ports
    }
    service = {"loadBalancer": {"servers": [{"url": f"http://{listen}"}]}}
    lasting: dict[str, object] = {"http": {"services": {"edge": service}, "routers": routers}}
    if certificates:
        pairs = [{"certFile": str(certificate), "keyFile": str(key)} for certificate, key in certificates]
        lasting["tls"] = {"certificates": pairs}
    (routes / "edge.yml").write_text(json.dumps(lasting))
    static = {
        "entryPoints": {
            name: {"address": f"127.0.0.1:{port}", **(entry_point or {})} for name, port in ports.items()
        },
        "providers": {
            "providersThrottleDuration": "100ms",
            "file": {"directory": str(routes), "watch": True},
        },
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        **more,
    }
    file = folder / "traefik.yml"
    file.write_text(json.dumps(static))
    return program("traefik"), f"--configFile={file}"
