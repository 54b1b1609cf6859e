"""Values of one cookie in a request: all of them.

A neighbouring origin may toss cookies of the same name at us (RFC 6265 §8.6), with a longer path ahead of ours. So
every value is tried, up to more than browsers keep for a site (150 to 600).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

MAX_TRIES: Final = 1024  # values of one name


def values_of(headers: Iterable[str], name: str) -> Iterator[str]:
    """The values of the cookie `name` in these Cookie headers, MAX_TRIES at most."""
    found = 0
    for header in headers:
        if name not in header:
            continue
        for part in header.split(";"):
            written, _, value = part.partition("=")
            if written.strip(" \t") == name:
                yield value.strip(' \t"')
                found += 1
                if found == MAX_TRIES:
                    return
