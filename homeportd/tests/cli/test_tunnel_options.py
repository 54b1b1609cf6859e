"""Targets of tunnels, as people write them."""

from __future__ import annotations

import pytest

from homeportd.cli.errors import USAGE, Failure
from homeportd.cli.options import targets
from homeportd.cli.options.tunnel_options import TunnelOptions, tunnel_specs


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("3000", ["3000"]),
        ("3000=myapp", ["3000=myapp"]),
        ("my-host:3000", ["my-host:3000"]),
        ("9000-9002", ["9000", "9001", "9002"]),
        ("9000-9000=29000-29000", ["9000=29000"]),
        ("10.0.0.5:9000-9001=29010-29011", ["10.0.0.5:9000=29010", "10.0.0.5:9001=29011"]),
        ("[::1]:9000-9001", ["[::1]:9000", "[::1]:9001"]),
    ],
)
def test_a_range_is_a_target_for_each_port(text, expanded) -> None:
    assert targets.expand(text) == expanded


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("9002-9000", "is no range of ports"),
        ("0-5", "is no range of ports"),
        ("65530-65536", "is no range of ports"),
        ("9000-9002=29000-29001", "is 3 ports here and not as many at the edge"),
        ("9000-9002=29000", "is 3 ports here and not as many at the edge"),
        ("9000-9001=host:29000-29001", "is 2 ports here and not as many at the edge"),
        (f"1000-{1000 + targets.MAX_RANGE}", "a range has 256 at most"),
    ],
)
def test_what_is_no_range(text, said) -> None:
    with pytest.raises(Failure, match=said) as failed:
        targets.expand(text)
    assert failed.value.code == USAGE


def test_a_range_cannot_have_one_place() -> None:
    with pytest.raises(Failure, match="--reserve-port is for one target, and there are 2"):
        tunnel_specs("udp", ["9000-9001"], TunnelOptions(reserve_port=29000))
