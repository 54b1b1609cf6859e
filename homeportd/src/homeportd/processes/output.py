"""The output of a process, read from its segments while the runner writes: the end, a piece, the last lines."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from homeportd.processes.model import Chunk, OutputLine
from homeportd.processes.runner.output import RECORD, log_path, segments, times_path

PIECE: Final = 64 * 1024  # bytes that are read at a time
MAX_TAIL: Final = 512 * 1024  # bytes that are looked through for the last lines
MAX_LINE: Final = 16 * 1024  # bytes; a longer line is several


@dataclass(frozen=True)
class Output:
    """The output in one folder. Its methods block for a moment of disk, and hold one piece of it."""

    folder: str

    def bounds(self) -> tuple[int, int]:
        """The offsets of the first byte that is kept, and after the last."""
        found = segments(self.folder)
        if not found:
            return 0, 0
        return found[0], found[-1] + _size(log_path(self.folder, found[-1]))

    def read(self, offset: int, limit: int = PIECE) -> Chunk | None:
        """A piece at `offset`, or at the first byte that is still kept after it; None where nothing follows yet."""
        for base in _from(segments(self.folder), offset):
            start = max(offset, base)
            try:
                with open(log_path(self.folder, base), "rb", 0) as file:  # noqa: PTH123 - a path of the runner's
                    file.seek(start - base)
                    data = file.read(limit)
            except FileNotFoundError:
                continue  # removed since: the next one is the first
            if data:
                moment, until = self._time(base, start)
                if until is not None:
                    data = data[: until - start]
                return Chunk(start, moment, data)
        return None

    def tail(self, lines: int, *, since: int = 0) -> list[OutputLine]:
        """The last `lines` lines from `since` on, an unfinished one too; of MAX_TAIL bytes at most."""
        first, end = self.bounds()
        start = self._start_of(lines, max(first, since, end - MAX_TAIL), end)
        splitter = LineSplitter()
        found: list[OutputLine] = []
        position = start
        while position < end and (chunk := self.read(position)) is not None:
            found += splitter.feed(chunk)
            position = chunk.end
            del found[: -lines - 1]
        if (rest := splitter.rest()) is not None:
            found.append(rest)
        return found[-lines:] if lines else []

    def _start_of(self, lines: int, first: int, end: int) -> int:
        """The offset at which the last `lines` lines before `end` begin, or `first`: read from the back."""
        left = lines + 1  # the end of the line before them
        bases = segments(self.folder)
        position = end
        while position > first:
            base = max((each for each in bases if each < position), default=first)
            start = max(first, base, position - PIECE)
            try:
                with open(log_path(self.folder, base), "rb", 0) as file:  # noqa: PTH123
                    data = os.pread(file.fileno(), position - start, start - base)
            except FileNotFoundError:
                return position
            at = len(data) - 1 if position == end and data.endswith(b"\n") else len(data)
            left -= position == end and data.endswith(b"\n")
            while left > 0 and (at := data.rfind(b"\n", 0, at)) >= 0:
                left -= 1
            if left == 0:
                return start + at + 1
            position = start
        return first

    def _time(self, base: int, offset: int) -> tuple[float, int | None]:
        """When the byte at `offset` was printed, and the offset at which the next time begins."""
        path = times_path(self.folder, base)
        try:
            with open(path, "rb", 0) as file:  # noqa: PTH123
                count = os.fstat(file.fileno()).st_size // RECORD.size
                low, high = 0, count  # the last record at or before `offset`
                while high - low > 1:
                    middle = (low + high) // 2
                    if _record(file.fileno(), middle)[0] <= offset:
                        low = middle
                    else:
                        high = middle
                if count == 0:
                    return time.time(), None
                until = _record(file.fileno(), low + 1)[0] if low + 1 < count else None
                return _record(file.fileno(), low)[1] / 1000, until
        except FileNotFoundError:
            return time.time(), None


class LineSplitter:
    """Makes lines of chunks, across their borders. It holds one line, of MAX_LINE bytes at most."""

    def __init__(self) -> None:
        self._held = b""
        self._offset = 0
        self._time = 0.0

    def feed(self, chunk: Chunk) -> Iterator[OutputLine]:
        """The lines that end in `chunk`. After a gap in the offsets what was held is a line."""
        if self._held and chunk.offset != self._offset + len(self._held):
            yield self._line(self._held, len(self._held))
            self._held = b""
        if not self._held:
            self._offset, self._time = chunk.offset, chunk.time
        data = self._held + chunk.data
        position = 0
        while (end := data.find(b"\n", position)) >= 0 or len(data) - position > MAX_LINE:
            size = end + 1 - position if end >= 0 else MAX_LINE
            size = min(size, MAX_LINE)
            yield self._line(data[position : position + size].removesuffix(b"\n"), size)
            position += size
            self._offset += size
            self._time = chunk.time
        self._held = data[position:]

    def rest(self) -> OutputLine | None:
        """The line that has no end yet."""
        return self._line(self._held, len(self._held)) if self._held else None

    def _line(self, data: bytes, size: int) -> OutputLine:
        text = data.removesuffix(b"\r").decode("utf-8", "replace")
        return OutputLine(self._offset, self._offset + size, self._time, text)


def _from(bases: list[int], offset: int) -> list[int]:
    """The segments that hold `offset` and what follows."""
    ended = [base for base, end in pairwise(bases) if end > offset]
    return ended + bases[-1:]


def _record(descriptor: int, number: int) -> tuple[int, int]:
    offset, moment = RECORD.unpack(os.pread(descriptor, RECORD.size, number * RECORD.size))
    return offset, moment


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116
    except FileNotFoundError:
        return 0
