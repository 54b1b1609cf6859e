"""The progress that git writes on standard error, git-clone(1) --progress."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PERCENT = re.compile(
    r"(?P<remote>remote: )?(?P<step>[A-Z][a-z]+ [a-z]+(?: [a-z]+)?): +(?P<percent>[0-9]{1,3})% \("
)


@dataclass(frozen=True)
class Step:
    """A step of git, such as `receiving objects`, and how much of it is done."""

    name: str
    percent: int


def parse(line: str) -> Step | None:
    """The progress in a line; None for any other line."""
    match = _PERCENT.match(line)
    if match is None:
        return None
    return Step(match["step"].lower(), min(int(match["percent"]), 100))
