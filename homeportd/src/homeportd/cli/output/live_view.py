"""Live views of tunnels in the foreground: a page that renews itself on a terminal, plain lines in a pipe."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Final, Protocol

from homeportd.cli.output import phrases, tunnel_tables
from homeportd.cli.output.terminal import clean, screen, write
from homeportd.tunnels.client import Client
from homeportd.tunnels.errors import TunnelError
from homeportd.tunnels.tunnel import Tunnel

if TYPE_CHECKING:
    from rich.live import Live  # of use on a terminal alone

_PASSING: Final = ("opening", "offline")  # states that a tunnel is in by itself, until the edge answers


class View(Protocol):
    """A view of tunnels and their changes. Renewed every `period_s` seconds, and at each change."""

    period_s: float

    def begin(self, client: Client, tunnels: list[Tunnel]) -> None:
        """Show the tunnels for the first time; all are open."""

    def show(self, client: Client, tunnels: list[Tunnel], final: TunnelError | None = None) -> None:
        """Show what has changed. `final`: the error with which the command ends, and which it prints itself."""

    def close(self) -> None:
        """Leave the last state on the screen; nothing is shown after it."""


def view(as_json: bool) -> View:
    """The view for this standard output."""
    if as_json:
        return Lines(as_json=True)
    return Page() if sys.stdout.isatty() else Lines(as_json=False)


class Lines:
    """The addresses first, one a line; then a line on standard error (or a JSON object) for each change."""

    period_s = 3600.0

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        self._shown: dict[str, tuple[str, str | None]] = {}  # state and address by the tunnel's key
        self._problems: dict[str, TunnelError | None] = {}  # of local servers, by the tunnel's key
        self._linked = True

    def begin(self, client: Client, tunnels: list[Tunnel]) -> None:
        """Print the addresses, in the order of the targets."""
        for tunnel in tunnels:
            self._shown[tunnel.key] = (tunnel.state.value, tunnel.address)
            if self._json:
                self._print({"event": "opened", **tunnel.status()})
            else:
                write([tunnel.address or ""])

    def show(self, client: Client, tunnels: list[Tunnel], final: TunnelError | None = None) -> None:
        """Print what is different from before."""
        if client.is_up != self._linked and (client.is_up or client.error):
            self._linked = client.is_up
            if client.is_up:
                self._note("linked", "linked with the edge again")
            elif client.error is not final or self._json:
                self._note("lost", str(client.error))
        for tunnel in tunnels:
            problem = tunnel.server_problem
            if str(problem) != str(self._problems.get(tunnel.key)):
                self._problems[tunnel.key] = problem
                if problem is not None:
                    self._note("server", problem.detail, problem.fix)
            before, now = self._shown[tunnel.key], (tunnel.state.value, tunnel.address)
            if before == now or tunnel.state.value in _PASSING:
                continue
            self._shown[tunnel.key] = now
            if self._json:
                self._print({"event": tunnel.state.value, **tunnel.status()})
            elif before[1] != now[1]:
                write([tunnel.address or ""])
            elif tunnel.error is not None and tunnel.error is not final:
                self._note(tunnel.state.value, tunnel.error.detail, tunnel.error.fix)

    def close(self) -> None:
        """Every line is written already."""

    def _note(self, event: str, text: str, fix: str = "") -> None:
        if self._json:
            self._print({"event": event, "detail": text})
        else:
            remedy = f"fix: {clean(fix)}\n" if fix else ""
            sys.stderr.write(f"note: {clean(text)}\n{remedy}")
            sys.stderr.flush()

    def _print(self, event: dict[str, object]) -> None:
        write([json.dumps(event)])


class Page:
    """A table that renews itself."""

    period_s = 1.0

    def __init__(self) -> None:
        self._live: Live | None = None

    def begin(self, client: Client, tunnels: list[Tunnel]) -> None:
        """Show the table for the first time."""
        from rich.console import Console
        from rich.live import Live

        # It redraws when told: a thread of its own would show the same once more.
        self._live = Live(console=Console(highlight=False), auto_refresh=False, redirect_stderr=False)
        self._live.start()
        self.show(client, tunnels)

    def show(self, client: Client, tunnels: list[Tunnel], final: TunnelError | None = None) -> None:
        """Show the table as it is now."""
        from rich.text import Text

        if self._live is not None:
            error = None if final is None else final.as_dict()
            lines = tunnel_tables.foreground(client.status(), screen(), phrases.local_now(), error)
            self._live.update(Text.from_ansi("\n".join(lines)), refresh=True)

    def close(self) -> None:
        """Leave the last table on the screen."""
        if self._live is not None:
            self._live.stop()
            self._live = None
