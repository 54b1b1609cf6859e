"""How the API shows a terminal."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import BaseModel

from homeportd.processes.model import Process


class TerminalView(BaseModel):
    """An open terminal."""

    id: str
    started_at: datetime


def terminal_view(process: Process) -> TerminalView:
    """A terminal's process as the API shows it."""
    return TerminalView(id=process.id, started_at=datetime.fromtimestamp(process.started_at, UTC))
