"""Ports that Homeport does not look at can be shared by nobody: what is said of that. Pure."""

from __future__ import annotations

from homeportd import cautions
from homeportd.errors import Problem
from homeportd.settings import Settings


def refusal(port: int, settings: Settings) -> Problem | None:
    """Why a port cannot be shared, with what helps; None where it can be."""
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
            return Problem(409, f"port {port} is {outside_ranges(settings)}", widen(port, settings))


def outside_ranges(settings: Settings) -> str:
    """What such a port is, with the ranges that there are."""
    return f"outside the port ranges that Homeport looks at ({', '.join(settings.port_ranges)})"


def widen(port: int, settings: Settings) -> str:
    """How such a port gets into the ranges; on an edge also the way that needs none."""
    widened = "add it to homeport_port_ranges in the inventory and run bin/site"
    if settings.edge is None:
        return widened
    caution = cautions.caution(port)
    command = (caution and caution.command) or f"homeport http {port}"
    return f"{command} needs no range; or {widened}"
