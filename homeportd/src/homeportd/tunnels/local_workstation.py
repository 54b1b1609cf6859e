"""Tunnels to the workstation on this machine, as the agent has it now: to all of it, and to shared ports."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from pydantic import ValidationError

from homeportd.tunnels import local_edge
from homeportd.tunnels.address import UNIX
from homeportd.tunnels.model import TunnelSpec
from homeportd.tunnels.protocol import Kind

_log = logging.getLogger(__name__)


def whole() -> TunnelSpec | None:
    """The tunnel by which the whole workstation is reached at the edge; None where the settings have no name for it."""
    name, path = local_edge.workstation_name(), local_edge.visitors_socket()
    if name is None or path is None:
        return None
    try:
        return TunnelSpec(
            kind=Kind.HTTP, target=f"{UNIX}{path}", name=name, workstation=True, label=local_edge.WORKSTATION
        )
    except ValidationError as error:
        _log.error("this workstation's name at the edge is not used: %s", error)
        return None


def present(spec: TunnelSpec) -> TunnelSpec:
    """The tunnel to a shared port with the present socket and origin of the port; any other tunnel as it is.

    Before December 2026 such a tunnel led to a port of Caddy's.
    """
    share, number = local_edge.SHARE, (spec.label or "").removeprefix(local_edge.SHARE)
    if spec.label != f"{share}{number}" or not number.isdigit():
        return spec
    path, host = local_edge.visitors_socket(), local_edge.host_of_port(int(number))
    if path is None or host is None:
        return spec
    return spec.model_copy(update={"target": f"{UNIX}{path}", "host": host})


def follow(specs: Sequence[TunnelSpec]) -> tuple[list[TunnelSpec | None], TunnelSpec | None]:
    """(What each of a daemon's tunnels is to be now, None where it is to end; the tunnel of the whole workstation where
    it is missing)."""
    wanted = whole()
    now: list[TunnelSpec | None] = []
    for spec in specs:
        if spec.label == local_edge.WORKSTATION:
            now.append(spec if spec == wanted else None)
        else:
            now.append(present(spec))
    return now, None if wanted in now else wanted
