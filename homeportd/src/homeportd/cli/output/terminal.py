"""Text on a terminal: colour, width and tables. No I/O but `write`; pipes and NO_COLOR get plain text."""

from __future__ import annotations

import json
import os
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from homeportd.cli.errors import ClosedPipe, Failure

GAP: Final = 2  # spaces between columns
ELLIPSIS: Final = "…"


class Style(StrEnum):
    """SGR parameters; the three states of a share have the colours of the dashboard."""

    PLAIN = ""
    BOLD = "1"
    GREY = "90"
    AMBER = "33"
    GREEN = "32"
    RED = "31"


@dataclass(frozen=True)
class Screen:
    """Standard output as a screen. `width`: in columns; None where lines may be of any length (a pipe, a file)."""

    width: int | None
    colour: bool

    def paint(self, text: str, style: Style) -> str:
        """The text in a colour, where there is colour."""
        return f"\x1b[{style}m{text}\x1b[0m" if self.colour and style and text else text


def screen() -> Screen:
    """The screen that standard output is."""
    if not sys.stdout.isatty():
        return Screen(None, False)
    # https://no-color.org: present and not empty, whatever its value
    colour = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Screen(shutil.get_terminal_size().columns, colour)


def write(lines: Iterable[str]) -> None:
    """Print lines at once; a character that the terminal's encoding lacks becomes a question mark.

    Raises ClosedPipe when the reader has gone, Failure when it cannot be written.
    """
    encoding = sys.stdout.encoding or "utf-8"
    text = "".join(f"{line.rstrip()}\n" for line in lines)
    try:
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
        sys.stdout.flush()
    except OSError as error:
        # What is left in the buffer would be written again at exit, and fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise ClosedPipe from None
        raise Failure(f"cannot write the output: {error.strerror}", "look at where it goes") from error


def write_json(value: object) -> None:
    """Print one JSON value, indented, in ASCII (so nothing in it can steer a terminal)."""
    write([json.dumps(value, indent=2)])


def clean(text: str) -> str:
    """The text without control characters, which could steer a terminal: titles and user agents are not trusted."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def width_of(text: str) -> int:
    """Columns that a printable text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def clip(text: str, width: int) -> str:
    """The text in at most `width` columns, with an ellipsis where something is left out."""
    if width_of(text) <= width:
        return text
    kept, used = [], 0
    for char in text:
        used += width_of(char)
        if used > width - 1:
            break
        kept.append(char)
    return "".join(kept) + ELLIPSIS if width > 0 else ""


@dataclass(frozen=True)
class Cell:
    """One field of a table."""

    text: str
    style: Style = Style.PLAIN


@dataclass(frozen=True)
class Column:
    """A column: the one with the lowest `rank` is dropped first where the screen is narrow.

    `least` is the number of columns down to which it may be clipped; None means whole or not at all
    (half an address is of no use). Where the columns that a reader `must` see do not fit side by side, that of
    the highest rank gets lines of its own, above the others.
    """

    title: str
    rank: int
    least: int | None = None
    right: bool = False
    must: bool = False


Row = Sequence[Cell]


def lay_out(
    columns: Sequence[Column], rows: Sequence[Row], screen: Screen, *, indent: int = 0, heading: bool = True
) -> list[str]:
    """The lines of a table that fits the screen: first the heading, then a line a row.

    Columns without any content are left out. Never raises; the last column left is clipped. See `Column.must`
    for rows that take two lines.
    """
    cleaned = [[Cell(clean(cell.text), cell.style) for cell in row] for row in rows]
    shown = [i for i in range(len(columns)) if any(row[i].text for row in cleaned)]
    natural = [
        max(
            [width_of(row[i].text) for row in cleaned] + ([len(column.title)] if heading else []),
            default=0,
        )
        for i, column in enumerate(columns)
    ]
    widths = _widths(columns, shown, natural, None if screen.width is None else screen.width - indent)
    if any(columns[i].must and i not in widths for i in shown):
        return _stack(columns, cleaned, screen, indent, heading)
    lines = []
    if heading:
        lines.append([Cell(column.title, Style.GREY) for column in columns])
    lines.extend(cleaned)
    return [_line(columns, row, widths, screen, indent) for row in lines]


def _stack(
    columns: Sequence[Column], rows: Sequence[Row], screen: Screen, indent: int, heading: bool
) -> list[str]:
    """A table with two lines a row; the first is whole, however long: a terminal folds it, and it can be copied."""
    first = max(range(len(columns)), key=lambda i: columns[i].rank)
    others = [replace(column, must=False) for i, column in enumerate(columns) if i != first]
    below = lay_out(
        others,
        [[cell for i, cell in enumerate(row) if i != first] for row in rows],
        screen,
        indent=indent + GAP,
        heading=heading,
    )
    above = [row[first] for row in rows]
    if heading:
        above.insert(0, Cell(columns[first].title, Style.GREY))
    leads = [" " * indent + screen.paint(cell.text, cell.style) for cell in above]
    return [line for pair in zip(leads, below, strict=True) for line in pair]


def _widths(
    columns: Sequence[Column], shown: Sequence[int], natural: Sequence[int], room: int | None
) -> dict[int, int]:
    """The width of each column that is shown, by its index."""
    if room is None:
        return {i: natural[i] for i in shown}
    smallest = {i: min(natural[i], columns[i].least or natural[i]) for i in shown}
    kept: list[int] = []
    for i in sorted(shown, key=lambda i: -columns[i].rank):
        if sum(smallest[j] for j in kept) + smallest[i] + GAP * len(kept) <= room:
            kept.append(i)
    if not kept and shown:
        return {max(shown, key=lambda i: columns[i].rank): max(0, room)}
    widths = {i: natural[i] for i in sorted(kept)}
    over = sum(widths.values()) + GAP * (len(widths) - 1) - room
    while over > 0:
        widest = max((i for i in widths if widths[i] > smallest[i]), key=lambda i: widths[i])
        widths[widest] -= 1
        over -= 1
    return widths


def _line(columns: Sequence[Column], row: Row, widths: dict[int, int], screen: Screen, indent: int) -> str:
    fields = []
    for i, width in widths.items():
        text = clip(row[i].text, width)
        space = " " * (width - width_of(text))
        painted = screen.paint(text, row[i].style)
        fields.append(space + painted if columns[i].right else painted + space)
    return (" " * indent + (" " * GAP).join(fields)).rstrip()
