"""A scanner of one direction of an HTTP/1.1 connection: it finds the heads in a stream of bytes (RFC 9112).

Heads may be replaced; everything else passes as it came, and at once. What cannot be followed with certainty (bare LF,
a wrong chunk size, a head without an end, another protocol) passes untouched, and so does all that follows on the
connection.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

MAX_HEAD: Final = 64 * 1024  # bytes of a head; a longer one passes as it is
MAX_CHUNK_LINE: Final = 4 * 1024  # bytes of a chunk's size with its extensions, or of one trailer field

CHUNKED: Final = -1  # in place of the length of a body
TO_THE_END: Final = -2  # no message follows: a body that the end of the connection ends, or another protocol

_END: Final = b"\r\n\r\n"
_BARE_LF: Final = re.compile(rb"(?<!\r)\n")
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")

# Reads a whole head, with its empty line. Returns what takes its place, and the length of the body that follows, or
# CHUNKED or TO_THE_END; None for a head that cannot be read.
HeadReader = Callable[[bytes], tuple[bytes, int] | None]


class _Expected(Enum):
    """What the next byte belongs to."""

    HEAD = auto()
    BODY = auto()
    CHUNK_SIZE = auto()
    CHUNK = auto()
    CHUNK_END = auto()
    TRAILER = auto()
    ANYTHING = auto()


class Scanner:
    """`feed` takes the bytes of one direction, in pieces of any size, and returns those to pass on.

    `prefix`: how each head begins; a byte that contradicts it is not held. Held are at most MAX_HEAD bytes.
    """

    def __init__(self, read_head: HeadReader, prefix: bytes = b"") -> None:
        self._read_head = read_head
        self._prefix = prefix
        self._expected = _Expected.HEAD
        self._held = bytearray()  # of a head whose end has not come
        self._line = b""  # of a chunked body, passed already: its end has not come
        self._left = 0  # bytes of the body or chunk that have not come

    def pass_all(self) -> None:
        """Pass everything that follows: the connection speaks another protocol from here on."""
        self._expected = _Expected.ANYTHING

    def _passes_all(self) -> bool:
        return self._expected is _Expected.ANYTHING

    def flush(self) -> bytes:
        """The bytes that were held for the end of a head, when the connection ends before it."""
        self.pass_all()
        return self.feed(b"")

    def feed(self, data: bytes) -> bytes:
        """The bytes to pass on, now that these have come."""
        if self._passes_all():
            if self._held:
                data = bytes(self._held) + data
                self._held.clear()
            return data
        out: list[bytes] = []
        done = at = 0  # before `done`, data is in `out` or held; before `at`, it is read
        size = len(data)
        while at < size and not self._passes_all():
            if self._expected is _Expected.HEAD:
                if at > done:
                    out.append(data[done:at])
                at = done = self._scan_head(data, at, out)
            elif self._left:
                taken = min(self._left, size - at)
                at += taken
                self._left -= taken
                if not self._left:
                    chunked = self._expected is _Expected.CHUNK
                    self._expected = _Expected.CHUNK_END if chunked else _Expected.HEAD
            else:
                at = self._scan_line(data, at)
        if not done:
            return data
        out.append(data[done:])
        return b"".join(out)

    def _scan_head(self, data: bytes, at: int, out: list[bytes]) -> int:
        """Read a head, or hold its beginning. Returns the index of the first byte that was neither read nor held."""
        known = len(self._held)
        if not known:
            end = data.find(_END, at, at + MAX_HEAD)
            if end >= 0:
                self._replace(data[at : end + len(_END)], out)
                return end + len(_END)
        self._held += data[at : at + MAX_HEAD - known]
        end = self._held.find(_END, max(0, known - len(_END) + 1))
        if end >= 0:
            head = bytes(self._held[: end + len(_END)])
            self._held.clear()
            self._replace(head, out)
            return at + len(head) - known
        taken = at + len(self._held) - known
        if not self._may_be_head(known):
            out.append(bytes(self._held))
            self._held.clear()
            self.pass_all()
        return taken

    def _replace(self, head: bytes, out: list[bytes]) -> None:
        read = self._read_head(head) if head.startswith(self._prefix) else None
        if read is None:
            out.append(head)
            self.pass_all()
        else:
            out.append(read[0])
            self._expect_body(read[1])

    def _may_be_head(self, known: int) -> bool:
        """Whether what is held can be the beginning of a head; `known`: so many bytes of it were found to be."""
        held = self._held
        return (
            len(held) < MAX_HEAD
            and held[: len(self._prefix)] == self._prefix[: len(held)]
            and _BARE_LF.search(held, known) is None
        )

    def _expect_body(self, length: int) -> None:
        self._left = max(length, 0)
        if length == CHUNKED:
            self._expected = _Expected.CHUNK_SIZE
        elif length == TO_THE_END:
            self.pass_all()
        else:
            self._expected = _Expected.BODY if length else _Expected.HEAD

    def _scan_line(self, data: bytes, at: int) -> int:
        """Read a line of a chunked body, or its beginning. Returns the index behind it."""
        end = data.find(b"\n", at) + 1 or len(data)
        line = self._line + data[at : min(end, at + MAX_CHUNK_LINE)]
        self._line = b""
        if len(line) >= MAX_CHUNK_LINE:
            self.pass_all()
        elif line.endswith(b"\n"):
            self._read_line(line)
        else:
            self._line = line
        return end

    def _read_line(self, line: bytes) -> None:
        if self._expected is _Expected.CHUNK_SIZE:
            match = _CHUNK.fullmatch(line)
            if match is not None:
                self._left = int(match[1], 16)
                self._expected = _Expected.CHUNK if self._left else _Expected.TRAILER
                return
        elif line == b"\r\n":
            is_last = self._expected is _Expected.TRAILER
            self._expected = _Expected.HEAD if is_last else _Expected.CHUNK_SIZE
            return
        elif self._expected is _Expected.TRAILER and line.endswith(b"\r\n"):
            return
        self.pass_all()
