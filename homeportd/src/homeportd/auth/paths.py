"""Paths to send a browser to after it has logged in: on the same origin, whatever was asked for."""

from __future__ import annotations

MAX_PATH = 4096  # characters


def local_path(text: str) -> str:
    """`text` where it is a path on this origin, else `/`.

    Browsers read `//host` and `/\\host` as another origin, and drop tabs and line ends on the way.
    """
    if len(text) > MAX_PATH or not text.startswith("/") or text[1:2] in ("/", "\\"):
        return "/"
    return text if text.isprintable() and "\\" not in text else "/"
