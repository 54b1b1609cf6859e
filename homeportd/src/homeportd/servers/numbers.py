"""The number of a port for a server: the preferred one where it is free, and no two servers the same. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from homeportd.port_range import PortRange

MAX_TRIED: Final = 2000  # numbers, for which the kernel may be asked each


def choose(
    preferred: int | None, reserved: frozenset[int], ranges: Iterable[PortRange], free: Callable[[int], bool]
) -> int | None:
    """A number within `ranges` that no other server has (`reserved`) and that `free` agrees to; None: there is none.

    The preferred one first, then those after it.
    """
    spans = tuple(ranges)
    begin = preferred if preferred is not None and any(preferred in span for span in spans) else None
    tried = 0
    for number in _candidates(begin, spans):
        if number in reserved or number < 1024:
            continue
        tried += 1
        if tried > MAX_TRIED:
            return None
        if free(number):
            return number
    return None


def _candidates(begin: int | None, spans: tuple[PortRange, ...]) -> Iterable[int]:
    everything = sorted({number for span in spans for number in range(span.first, span.last + 1)})
    if begin is None:
        return everything
    return [number for number in everything if number >= begin] + [
        number for number in everything if number < begin
    ]
