"""The Host that a dev server sees, as a person writes it: `localhost`, `keep`, or a name such as `myapp.test:3000`."""

from __future__ import annotations

import re
from typing import Final

from homeportd.errors import invalid
from homeportd.shares.model import LOCALHOST

MAX_LENGTH: Final = 255
PATTERN: Final = r"^([A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\])(:[1-9][0-9]{0,4})?$"

_NAME = re.compile(PATTERN)


def parse(text: str | None) -> str:
    """The setting in lower case; LOCALHOST for None. Raises Problem 422."""
    if text is None:
        return LOCALHOST
    port = text.rpartition(":")[2]
    too_high = port.isdigit() and text != port and int(port) > 65535
    if len(text) > MAX_LENGTH or too_high or not _NAME.fullmatch(text):
        raise invalid(f"{text[:40]!r} is no host", "write localhost, keep, or a name such as myapp.test:3000")
    return text.lower()
