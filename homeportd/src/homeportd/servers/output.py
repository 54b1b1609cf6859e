"""The output of a server, line by line, as it is shown: colours stay, other control sequences do not."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final

from homeportd import clock
from homeportd.processes.service import Processes
from homeportd.servers.membership import PREFIX
from homeportd.servers.text import coloured
from homeportd.servers.view import OutputLineView

MAX_PARTIAL: Final = 64 * 1024  # bytes of a line that has not ended; longer ones are cut into pieces


async def tail(processes: Processes, server: str, lines: int) -> list[OutputLineView]:
    """The last lines of a server's output, its earlier runs' too."""
    found = await processes.tail(PREFIX + server, lines)
    return [
        OutputLineView(offset=line.offset, end=line.end, time=_time(line.time), text=coloured(line.text))
        for line in found
    ]


async def follow(processes: Processes, server: str, since: int) -> AsyncIterator[bytes]:
    """Lines of JSON from an offset on, as they are printed, through restarts of the server. Raises Problem 503."""
    partial = b""
    begin = since
    async for chunk in processes.output(PREFIX + server, since, across_runs=True):
        if chunk.offset != begin + len(partial):  # what was between is not kept any more
            partial, begin = b"", chunk.offset
        *lines, partial = (partial + chunk.data).split(b"\n")
        if len(partial) > MAX_PARTIAL:
            lines.append(partial)
            partial = b""
        made = []
        for line in lines:
            end = begin + len(line) + 1
            made.append(_encode(begin, min(end, chunk.end), chunk.time, line))
            begin = min(end, chunk.end)
        if made:
            yield b"".join(made)


def _encode(offset: int, end: int, time: float, line: bytes) -> bytes:
    text = coloured(line.decode("utf-8", "replace"))
    return json.dumps({"offset": offset, "end": end, "time": _time(time), "text": text}).encode() + b"\n"


def _time(seconds: float) -> str:
    return clock.to_text(datetime.fromtimestamp(seconds, UTC))
