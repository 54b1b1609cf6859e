"""Targets and options of tunnels, as people write them."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from homeportd.cli.commands import tunnels
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


def parameters(function: object) -> dict[str, Any]:
    """The options that a command takes, each with its declaration."""
    found = inspect.signature(function).parameters  # type: ignore[arg-type]
    return {name: each for name, each in found.items() if name not in ("kind", "targets", "json")}


def test_the_daemon_takes_the_options_of_every_kind_in_the_foreground() -> None:
    foreground = [parameters(command) for command in (tunnels.http, tunnels.tcp, tunnels.udp)]
    # What udp and http take only to refuse it is not in their help.
    assert parameters(tunnels.add) == foreground[0] | foreground[2] | foreground[1]
    assert set(parameters(tunnels.add)) == set(TunnelOptions.__dataclass_fields__)
    assert "reserve_port" not in foreground[0]
    assert not {"domain", "passcode", "host_header"} & (foreground[1].keys() | foreground[2].keys())


def test_options_become_the_tunnel_of_each_target() -> None:
    options = TunnelOptions(allow=["203.0.113.7/24"], max_connections=3, max_rate="2k")
    web, api = tunnel_specs("http", ["3000=Web", "8000"], options)

    assert (web.kind, web.target, web.name, web.host) == ("http", "localhost:3000", "web", "localhost:3000")
    assert (api.name, api.port, api.passcode) == (None, None, None)
    assert web.allow == api.allow == ("203.0.113.0/24",)
    assert (web.limits.connections, web.limits.bytes_per_second) == (3, 2000)

    [port] = tunnel_specs("udp", ["[::1]:53=20053"], TunnelOptions())
    assert (port.target, port.port, port.host) == ("[::1]:53", 20053, None)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("http", TunnelOptions(reserve_port=20022)),
        ("tcp", TunnelOptions(domain="myapp")),
        ("udp", TunnelOptions(passcode_stdin=True)),
        ("http", TunnelOptions(max_rate="quick")),
    ],
)
def test_an_option_of_another_kind_is_wrong_usage(kind: str, options: TunnelOptions) -> None:
    with pytest.raises(Failure) as failed:
        options.check(kind)
    assert failed.value.code == USAGE
