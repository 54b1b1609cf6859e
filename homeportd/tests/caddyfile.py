"""The Caddyfile, made from the role's own template, as Ansible's template module renders it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import jinja2

TEMPLATE = Path(__file__).parents[2] / "roles/caddy/templates/Caddyfile.j2"


def write(
    folder: Path,
    port: int,
    sockets: Path,
    *,
    origin: str | None = None,
    trusted: Sequence[str] = (),
    edge_name: str = "",
) -> Path:
    """A Caddyfile in `folder`, for a Caddy on this port of loopback and an agent with these sockets."""
    environment = jinja2.Environment(  # noqa: S701 - not HTML
        undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )
    text = environment.from_string(TEMPLATE.read_text()).render(
        homeport_origin=origin or f"http://{{port}}.localhost:{port}",
        homeport_socket_dir=str(sockets),
        homeport_edge_name=edge_name,
        caddy_bind=["127.0.0.1"],
        caddy_port=port,
        caddy_trusted_proxies=list(trusted),
        caddy_data_dir=str(folder / "caddy"),
    )
    (sockets / "visitors").mkdir(mode=0o700, exist_ok=True)
    path = folder / "Caddyfile"
    path.write_text(text)
    return path
