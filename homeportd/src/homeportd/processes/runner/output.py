"""The output of a process on disk: segments named by the offset at which they begin, each with an index of times.

`00000000000000000000.log` is raw output, `….times` has records of (offset, milliseconds since 1970), both unsigned
64 bits, big endian. Offsets go on from run to run. When a segment is full the next is begun, and the oldest removed.
"""

from __future__ import annotations

import os
import struct
import time
from typing import Final

SEGMENT: Final = 4 * 1024 * 1024  # bytes of output
SEGMENTS: Final = 4
RECORD: Final = struct.Struct(">QQ")
RESOLUTION_MS: Final = 50  # between two records, so that a program that prints a byte at a time writes few


def segments(folder: str) -> list[int]:
    """The offsets at which the segments of `folder` begin, in order."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return sorted(int(name[:-4]) for name in names if name.endswith(".log") and name[:-4].isdigit())


def log_path(folder: str, base: int) -> str:
    """The file of a segment."""
    return f"{folder}/{base:020}.log"


def times_path(folder: str, base: int) -> str:
    """The index of a segment."""
    return f"{folder}/{base:020}.times"


class OutputWriter:
    """Appends to the output in `folder`, after what earlier runs printed.

    A full disk loses output, and never blocks or ends the process: what is lost has no offsets.
    """

    def __init__(self, folder: str) -> None:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self._folder = folder
        known = segments(folder)
        self._log = self._times = -1
        self._base = self._size = self._recorded_ms = 0
        self._open(known[-1] if known else 0)

    @property
    def end(self) -> int:
        """The offset after the last byte."""
        return self._base + self._size

    def write(self, data: bytes) -> None:
        """Append `data`."""
        now = time.time_ns() // 1_000_000
        try:
            if self._size >= SEGMENT:
                self._next()
            if now - self._recorded_ms >= RESOLUTION_MS:
                os.write(self._times, RECORD.pack(self.end, now))
                self._recorded_ms = now
            written = 0
            while written < len(data):
                count = os.write(self._log, data[written:] if written else data)
                written += count
                self._size += count
        except OSError:
            return

    def _open(self, base: int) -> None:
        """Go on with the segment that begins at `base`. Raises OSError, and goes on with the one before then."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        log = os.open(log_path(self._folder, base), flags, 0o600)
        try:
            times = os.open(times_path(self._folder, base), flags, 0o600)
        except OSError:
            os.close(log)
            raise
        for old in (self._log, self._times):
            if old >= 0:
                os.close(old)
        self._base, self._log, self._times = base, log, times
        self._size = os.fstat(log).st_size
        self._recorded_ms = 0

    def _next(self) -> None:
        for old in segments(self._folder)[: 1 - SEGMENTS]:
            for path in (log_path(self._folder, old), times_path(self._folder, old)):
                try:
                    os.remove(path)
                except FileNotFoundError:
                    continue
        self._open(self.end)
