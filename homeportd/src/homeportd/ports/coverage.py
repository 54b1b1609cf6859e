"""The refusal to share a port that Homeport does not look at. Pure."""

from __future__ import annotations

from homeportd import cautions
from homeportd.errors import Problem
from homeportd.ports.settings import PortsSettings


def refusal(port: int, settings: PortsSettings, *, edge: bool) -> Problem | None:
    """Why a port cannot be shared, with what helps; None where it can be. `edge`: this machine is one, too."""
    match settings.outside(port):
        case None:
            return None
        case "own":
            return Problem(
                409,
                f"port {port} is one of Homeport's own, which is not shared",
                "homeport list shows what can be",
            )
        case "ranges":
            return Problem(409, f"port {port} is {_outside_ranges(settings)}", _widen(port, edge=edge))


def _outside_ranges(settings: PortsSettings) -> str:
    return f"outside the port ranges that Homeport looks at ({', '.join(settings.port_ranges)})"


def _widen(port: int, *, edge: bool) -> str:
    """How a port gets into the ranges; on an edge also the way that needs none."""
    widened = "add it to homeport_port_ranges in the inventory and run bin/site"
    if not edge:
        return widened
    caution = cautions.caution(port)
    command = (caution and caution.command) or f"homeport http {port}"
    return f"{command} needs no range; or {widened}"
