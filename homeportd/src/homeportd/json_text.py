"""JSON that somebody else wrote: parsed, or refused as ValueError, whatever it is."""

from __future__ import annotations

import json
import re
from typing import Any, Final

MAX_DEPTH: Final = 64  # of lists and objects in one another; what we read has five

# A whole string, or one without an end, which takes the rest: each byte is looked at once.
_TOKEN = re.compile(r'"(?:[^"\\]+|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)


def loads(text: str | bytes) -> Any:
    """The value in a JSON text (bytes: UTF-8). Raises ValueError for what is none, or is deeper than MAX_DEPTH."""
    if isinstance(text, bytes):
        text = text.decode()
    # Few texts have more brackets than that.
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise ValueError(f"JSON of more than {MAX_DEPTH} levels")
    return json.loads(text)


def _depth(text: str) -> int:
    depth = deepest = 0
    for match in _TOKEN.finditer(text):
        match match[0]:
            case "[" | "{":
                depth += 1
                if depth > deepest:
                    deepest = depth
                    if deepest > MAX_DEPTH:
                        break
            case "]" | "}":
                depth -= 1
    return deepest
