"""Output of programs made fit to be shown: they may be hostile. Pure."""

from __future__ import annotations

import re
from typing import Final

from homeportd.printable import printable

MAX_LINE: Final = 4000  # characters of a line that are looked at

_COLOURS = re.compile(r"\x1b\[[0-9;:]*m")
_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(\x07|\x1b\\)?|[ -/]*[0-~])")


def plain(text: str) -> str:
    """A line without escape sequences and control characters."""
    return printable(_ESCAPES.sub("", text[:MAX_LINE]))


def coloured(text: str) -> str:
    """A line whose escape sequences are colours alone (SGR), without other control characters."""
    parts = []
    end = 0
    text = text[:MAX_LINE]
    for match in _COLOURS.finditer(text):
        parts += [_visible(text[end : match.start()]), match[0]]
        end = match.end()
    return "".join([*parts, _visible(text[end:])])


def _visible(text: str) -> str:
    # A line that overwrites itself (progress bars) is shown as it was at last.
    text = _ESCAPES.sub("", text).rstrip("\r").rpartition("\r")[2].replace("\t", "    ")
    return printable(text)
