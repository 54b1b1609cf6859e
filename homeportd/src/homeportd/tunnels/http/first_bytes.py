"""What a local server speaks, by the first bytes of its response to a request in plain HTTP/1.1. Pure."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

_HTTP: Final = b"HTTP/1."
_STATUS: Final = slice(9, 12)  # of `HTTP/1.1 400 Bad Request`
_TLS_RECORDS: Final = (b"\x15\x03", b"\x16\x03")  # an alert or a handshake, of any version (RFC 8446 §5.1)
_FRAME: Final = 9  # bytes of a frame's head (RFC 9113 §4.1)
_SETTINGS: Final = b"\x04"  # the type of the frame that begins HTTP/2
_SETTING: Final = 6  # bytes of each setting in that frame (RFC 9113 §6.5.1)


class FirstBytes(Enum):
    """What the first bytes of a response are."""

    HTTP = auto()
    BAD_REQUEST = auto()  # of HTTP: a server that wants TLS may say so, and any may not like the request
    TLS = auto()
    HTTP2 = auto()
    OTHER = auto()


def recognise(data: bytes) -> FirstBytes | None:
    """What a response begins with; None while more bytes are needed to tell."""
    if data[: len(_HTTP)] == _HTTP[: len(data)]:
        if len(data) < _STATUS.stop:
            return None
        return FirstBytes.BAD_REQUEST if data[_STATUS] == b"400" else FirstBytes.HTTP
    if data[:2] in _TLS_RECORDS:
        return FirstBytes.TLS
    if data[:1] == b"\0" and data[3:4] in (b"", _SETTINGS) and not data[5:_FRAME].strip(b"\0"):
        if len(data) < _FRAME:
            return None
        return FirstBytes.OTHER if int.from_bytes(data[:3], "big") % _SETTING else FirstBytes.HTTP2
    return None if data in (b"\x15", b"\x16") else FirstBytes.OTHER
