"""A terminal: its id, what its WebSocket says, and the window of output that a page has not shown yet."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field

PREFIX: Final = "terminal-"  # of the ids of terminals among processes
_ID: Final = re.compile(rf"{PREFIX}([0-9a-f]{{12}})-[0-9a-f]{{16}}")
MAX_TERMINALS: Final = 16
WINDOW: Final = 512 * 1024  # bytes of output that are sent before a page says that it has shown them
REPLAY: Final = 128 * 1024  # bytes of the last screens that a page gets which does not say what it has

Side = Annotated[int, Field(ge=1, le=1000)]


class Resize(BaseModel):
    """The page has another size, in characters."""

    type: Literal["resize"]
    columns: Side
    rows: Side


class Shown(BaseModel):
    """The page has shown all output before this offset; it must say so at least every WINDOW / 2 bytes."""

    type: Literal["shown"]
    offset: Annotated[int, Field(ge=0)]


class End(BaseModel):
    """The person closes the terminal: its processes end."""

    type: Literal["end"]


class PageMessage(BaseModel):
    """A text message of a page; a binary one is what was typed."""

    message: Annotated[Resize | Shown | End, Field(discriminator="type")]


def repo_key(path: Path) -> str:
    """A repo's part of the ids of its terminals: they are found again without a table."""
    return hashlib.sha256(bytes(path)).hexdigest()[:12]


def new_id(path: Path) -> str:
    """A fresh id for a terminal in the repo at `path`."""
    return f"{PREFIX}{repo_key(path)}-{secrets.token_hex(8)}"


def key_of(id: str) -> str | None:
    """The `repo_key` of a terminal's id; None where it is no terminal's."""
    match = _ID.fullmatch(id)
    return match[1] if match else None


@dataclass
class OutputWindow:
    """How much output is on its way to a page: `sent` and `shown` are offsets."""

    sent: int
    shown: int = field(default=-1)

    def __post_init__(self) -> None:
        self.shown = self.sent

    @property
    def open(self) -> bool:
        """Whether more may be sent."""
        return self.sent - self.shown < WINDOW

    def skip_to(self, offset: int) -> None:
        """What lay between is not kept any more."""
        self.sent = self.shown = offset

    def confirm(self, offset: int) -> None:
        """Note what the page says; an offset that was not sent yet means the last that was."""
        self.shown = max(self.shown, min(offset, self.sent))
