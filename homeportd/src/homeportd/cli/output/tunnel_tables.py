"""Tables of tunnels: of the daemon, of an edge, and the page of tunnels in the foreground. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from homeportd import clock
from homeportd.cli.api_types import EdgeTunnel
from homeportd.cli.output import phrases
from homeportd.cli.output.terminal import Cell, Column, Row, Screen, Style, clean, lay_out, width_of
from homeportd.tunnels.status import ClientStatus, ErrorStatus, TunnelStatus

_STYLES: Final = {"live": Style.GREEN, "opening": Style.AMBER, "offline": Style.AMBER, "refused": Style.RED}
_LISTED: Final = (
    Column("ID", 3),
    Column("KIND", 5),
    Column("ADDRESS", 9, must=True),
    Column("TO", 6),
    Column("CLIENT", 5, least=6),
    Column("STATE", 8, must=True),
    Column("NOW", 4, right=True),
    Column("IN", 2, right=True),
    Column("OUT", 2, right=True),
    Column("LAST BYTE", 7, must=True),
    Column("ALLOW", 1, least=12),
)
_DETAILED: Final = (
    Column("KIND", 3),
    Column("ADDRESS", 9, must=True),
    Column("TO", 5),
    Column("STATE", 8, must=True),
    Column("NOW", 6, right=True),
    Column("EVER", 2, right=True),
    Column("IN", 4, right=True),
    Column("OUT", 4, right=True),
    Column("RATE IN", 1, right=True),
    Column("RATE OUT", 1, right=True),
    Column("LAST BYTE", 7, must=True),
    Column("ALLOW", 0, least=12),
)
_EXAMPLE: Final = "  homeport tunnels add http 3000 --domain myapp"


def of_daemon(tunnels: Sequence[TunnelStatus], screen: Screen) -> list[str]:
    """The daemon's tunnels, one a line."""
    if not tunnels:
        return ["No tunnels of the daemon.", _EXAMPLE]
    now = phrases.local_now()
    rows = [_listed(tunnel, tunnel["key"], phrases.target(tunnel), "", now) for tunnel in tunnels]
    return lay_out(_LISTED, rows, screen)


def of_edge(tunnels: Sequence[EdgeTunnel], screen: Screen) -> list[str]:
    """The tunnels of an edge, one a line; where they lead is known to their clients alone."""
    if not tunnels:
        return ["No tunnels at the edge.", _EXAMPLE]
    now = phrases.local_now()
    rows = [_listed(tunnel, tunnel["id"], "", tunnel["client"] or "", now) for tunnel in tunnels]
    return lay_out(_LISTED, rows, screen)


def _listed(tunnel: TunnelStatus | EdgeTunnel, id: str, target: str, client: str, now: datetime) -> Row:
    return (
        Cell(id),
        Cell(tunnel["kind"]),
        Cell(tunnel["address"] or "", Style.BOLD),
        Cell(target),
        Cell(client),
        Cell(tunnel["state"], Style.GREEN if tunnel["state"] == "live" else Style.AMBER),
        Cell(str(tunnel["connections"])),
        Cell(phrases.size(tunnel["bytes_in"])),
        Cell(phrases.size(tunnel["bytes_out"])),
        Cell(phrases.past(tunnel["last_byte_at"], now) if tunnel["last_byte_at"] else "never"),
        Cell(", ".join(tunnel["allow"])),
    )


def foreground(
    status: ClientStatus, screen: Screen, now: datetime, final: ErrorStatus | None = None
) -> list[str]:
    """The page of a client in the foreground: its link, then its tunnels.

    `final`: the error with which the command ends, and which it prints itself.
    """
    table = details(status["tunnels"], screen, now)
    if final:
        return [*table, *errors(status["tunnels"], final), ""]
    end = screen.paint("Ctrl-C ends this.", Style.GREY)
    return [link(status, screen), "", *table, *errors(status["tunnels"]), "", end]


def link(status: ClientStatus, screen: Screen) -> str:
    """The state of the link to the edge, in one line."""
    if status["up"]:
        count = status["links"]
        trip = status["round_trip_ms"]
        parts = [f"Linked with {status['edge']}", f"{count} connection{'' if count == 1 else 's'}"]
        if trip is not None:
            parts.append(f"round trip {trip:.1f} ms")
        while len(parts) > 1 and screen.width is not None and width_of(", ".join(parts)) > screen.width:
            parts.pop()
        return screen.paint(clean(", ".join(parts)), Style.BOLD)
    detail = status["problem"]["detail"] if status["problem"] else "connecting"
    wait = status["next_try_s"]
    return screen.paint(clean(f"No link: {detail}"), Style.AMBER) + (
        "" if wait is None else f"; next try in {wait:.1f} s"
    )


def details(tunnels: Sequence[TunnelStatus], screen: Screen, now: datetime) -> list[str]:
    """A client's tunnels with their rates, one a line."""
    return lay_out(_DETAILED, [_detailed(tunnel, now) for tunnel in tunnels], screen)


def _detailed(tunnel: TunnelStatus, now: datetime) -> Row:
    state = tunnel["state"]
    return (
        Cell(tunnel["kind"]),
        Cell(tunnel["address"] or str(tunnel["name"] or tunnel["port"] or "…"), Style.BOLD),
        Cell(phrases.target(tunnel)),
        Cell(state, _STYLES.get(state, Style.RED)),
        Cell(str(tunnel["connections"])),
        Cell(str(tunnel["total"])),
        Cell(phrases.size(tunnel["bytes_in"])),
        Cell(phrases.size(tunnel["bytes_out"])),
        Cell(f"{phrases.size(tunnel['rate_in'])}/s"),
        Cell(f"{phrases.size(tunnel['rate_out'])}/s"),
        Cell(_ago(tunnel["last_byte_at"], now)),
        Cell(", ".join(tunnel["allow"])),
    )


def _ago(text: str | None, now: datetime) -> str:
    if text is None:
        return "never"
    return f"{phrases.roughly(max(0.0, (now - clock.from_text(text)).total_seconds()))} ago"


def errors(tunnels: Sequence[TunnelStatus], but: ErrorStatus | None = None) -> list[str]:
    """The error of each tunnel that has one of its own, with its fix; `but`: an error that is left out."""
    return [
        clean(line)
        for tunnel in tunnels
        if tunnel["problem"] and tunnel["state"] != "offline" and tunnel["problem"] != but
        for line in (
            f"{tunnel['address'] or phrases.target(tunnel)}: {tunnel['problem']['detail']}",
            f"  fix: {tunnel['problem']['fix']}",
        )
    ]
