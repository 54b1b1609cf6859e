"""The wire format, byte by byte as published."""

from __future__ import annotations

import pytest

from homeportd.yamux.errors import ProtocolError
from homeportd.yamux.frames import (
    ACK,
    DATA,
    FIN,
    GO_AWAY,
    PING,
    RST,
    SYN,
    WINDOW_UPDATE,
    Code,
    Header,
    decode,
)

VECTORS = [
    (Header(DATA, 0, 1, 5), "00 00 0000 00000001 00000005"),
    (Header(DATA, FIN, 0xFFFFFFFF, 0), "00 00 0004 ffffffff 00000000"),
    (Header(WINDOW_UPDATE, SYN, 1, 0x40000), "00 01 0001 00000001 00040000"),
    (Header(WINDOW_UPDATE, ACK, 2, 0), "00 01 0002 00000002 00000000"),
    (Header(WINDOW_UPDATE, RST, 3, 0xFFFFFFFF), "00 01 0008 00000003 ffffffff"),
    (Header(PING, SYN, 0, 0xDEADBEEF), "00 02 0001 00000000 deadbeef"),
    (Header(GO_AWAY, 0, 0, Code.PROTOCOL_ERROR), "00 03 0000 00000000 00000001"),
]


@pytest.mark.parametrize(("header", "wire"), VECTORS)
def test_both_ways(header: Header, wire: str) -> None:
    assert header.encode() == bytes.fromhex(wire)
    assert decode(bytes.fromhex("ff" + wire), 1) == header


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        ("01 00 0000 00000001 00000000", "version 1"),
        ("00 04 0000 00000001 00000000", "unknown frame type 4"),
        ("00 00 0000 00000000 00000000", "type 0 on stream 0"),
        ("00 01 0001 00000000 00000000", "type 1 on stream 0"),
        ("00 02 0001 00000001 00000000", "type 2 on stream 1"),
        ("00 03 0000 00000007 00000000", "type 3 on stream 7"),
    ],
)
def test_refused(wire: str, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        decode(bytes.fromhex(wire))


def test_unknown_flags_pass() -> None:
    assert decode(bytes.fromhex("00 00 8000 00000001 00000000")).flags == 0x8000
