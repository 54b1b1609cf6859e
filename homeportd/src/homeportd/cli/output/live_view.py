"""How tunnels in the foreground are shown: a page that renews itself on a terminal, plain lines in a pipe."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Protocol

from homeportd import clock
from homeportd.cli.output import phrases
from homeportd.cli.output.terminal import Cell, Column, Screen, Style, clean, lay_out, screen, width_of, write

if TYPE_CHECKING:
    from rich.live import Live

    from homeportd.tunnels.client import Client
    from homeportd.tunnels.errors import Problem
    from homeportd.tunnels.tunnel import Tunnel

_STYLES: Final = {"live": Style.GREEN, "opening": Style.AMBER, "offline": Style.AMBER, "refused": Style.RED}
COLUMNS: Final = (
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


class View(Protocol):
    """Shows tunnels and what happens to them. Renewed every `period_s` seconds, and at each change."""

    period_s: float

    def begin(self, client: Client, tunnels: list[Tunnel]) -> None:
        """All are open."""

    def show(self, client: Client, tunnels: list[Tunnel], ending: Problem | None = None) -> None:
        """Something may have changed. `ending`: the problem with which the command ends, and which it says itself."""

    def close(self) -> None:
        """Nothing more will come."""


def view(as_json: bool) -> View:
    """The right one for where the output goes."""
    if as_json:
        return Lines(as_json=True)
    return Page() if sys.stdout.isatty() else Lines(as_json=False)


class Lines:
    """The addresses first, one a line; then a line on standard error (or a JSON object) for each change."""

    period_s = 3600.0

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        self._known: dict[str, tuple[str, str | None]] = {}
        self._linked = True

    def begin(self, client: Client, tunnels: list[Tunnel]) -> None:
        """The addresses, in the order of the targets."""
        for tunnel in tunnels:
            self._known[tunnel.key] = (tunnel.state.value, tunnel.address)
            if self._json:
                self._say({"event": "opened", **tunnel.view()})
            else:
                write([tunnel.address or ""])

    def show(self, client: Client, tunnels: list[Tunnel], ending: Problem | None = None) -> None:
        """What is different from before."""
        if client.is_up != self._linked and (client.is_up or client.problem):
            self._linked = client.is_up
            if client.is_up:
                self._note("linked", "linked with the edge again")
            elif client.problem is not ending or self._json:
                self._note("lost", str(client.problem))
        for tunnel in tunnels:
            before, now = self._known[tunnel.key], (tunnel.state.value, tunnel.address)
            if before == now or tunnel.state.value in ("opening", "offline"):
                continue
            self._known[tunnel.key] = now
            if self._json:
                self._say({"event": tunnel.state.value, **tunnel.view()})
            elif before[1] != now[1]:
                write([tunnel.address or ""])
            elif tunnel.problem is not None and tunnel.problem is not ending:
                self._note(tunnel.state.value, tunnel.problem.detail, tunnel.problem.fix)

    def close(self) -> None:
        """Nothing is left open."""

    def _note(self, event: str, text: str, fix: str = "") -> None:
        if self._json:
            self._say({"event": event, "detail": text})
        else:
            remedy = f"fix: {clean(fix)}\n" if fix else ""
            sys.stderr.write(f"note: {clean(text)}\n{remedy}")
            sys.stderr.flush()

    def _say(self, value: dict[str, Any]) -> None:
        write([json.dumps(value)])


class Page:
    """A table that renews itself."""

    period_s = 1.0

    def __init__(self) -> None:
        self._live: Live | None = None
        self._shown_at = 0.0

    def begin(self, client: Client, tunnels: list[Tunnel]) -> None:
        """The table for the first time."""
        from rich.console import Console
        from rich.live import Live

        # It redraws when told: a thread of its own would show the same once more.
        self._live = Live(console=Console(highlight=False), auto_refresh=False, redirect_stderr=False)
        self._live.start()
        self.show(client, tunnels)

    def show(self, client: Client, tunnels: list[Tunnel], ending: Problem | None = None) -> None:
        """The table as it is now."""
        from rich.text import Text

        if self._live is not None:
            lines = page(
                client.view(), screen(), phrases.local_now(), None if ending is None else ending.as_dict()
            )
            self._live.update(Text.from_ansi("\n".join(lines)), refresh=True)
            self._shown_at = monotonic()

    def close(self) -> None:
        """Leave the last state on the screen."""
        if self._live is not None:
            self._live.stop()
            self._live = None


def page(found: dict[str, Any], to: Screen, now: datetime, ending: dict[str, str] | None = None) -> list[str]:
    """The state of the link, and a line a tunnel; `ending` is the problem that is said below, as the last word."""
    table = lay_out(COLUMNS, [row(tunnel, now) for tunnel in found["tunnels"]], to)
    if ending:
        return [*table, *problems(found, ending), ""]
    return [headline(found, to), "", *table, *problems(found), "", to.paint("Ctrl-C ends this.", Style.GREY)]


def headline(found: dict[str, Any], to: Screen) -> str:
    """How the link to the edge is."""
    if found["up"]:
        count = found["links"]
        trip = found["round_trip_ms"]
        parts = [f"Linked with {found['edge']}", f"{count} connection{'' if count == 1 else 's'}"]
        if trip is not None:
            parts.append(f"round trip {trip:.1f} ms")
        while len(parts) > 1 and to.width is not None and width_of(", ".join(parts)) > to.width:
            parts.pop()
        return to.paint(clean(", ".join(parts)), Style.BOLD)
    why = found["problem"]["detail"] if found["problem"] else "connecting"
    again = found["next_try_s"]
    return to.paint(clean(f"No link: {why}"), Style.AMBER) + (
        "" if again is None else f"; next try in {again:.1f} s"
    )


def row(tunnel: dict[str, Any], now: datetime) -> tuple[Cell, ...]:
    """One tunnel."""
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


def problems(found: dict[str, Any], but: dict[str, str] | None = None) -> list[str]:
    """What is wrong with a tunnel of its own, and what to do, below the table."""
    return [
        clean(line)
        for tunnel in found["tunnels"]
        if tunnel["problem"] and tunnel["state"] != "offline" and tunnel["problem"] != but
        for line in (
            f"{tunnel['address'] or phrases.target(tunnel)}: {tunnel['problem']['detail']}",
            f"  fix: {tunnel['problem']['fix']}",
        )
    ]
