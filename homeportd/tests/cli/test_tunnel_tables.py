"""The page of tunnels that run in a terminal, and the lists that are like it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from homeportd.cli.output.terminal import Screen, width_of
from homeportd.cli.output.tunnel_tables import foreground

NOW = datetime(2026, 11, 21, 13, 0, tzinfo=UTC)


def tunnel(name: str, state: str = "live", **more: object) -> dict[str, object]:
    return {
        "kind": "http",
        "address": f"https://{name}.tunnel.example.com",
        "name": name,
        "port": None,
        "target": "localhost:3000",
        "label": None,
        "state": state,
        "connections": 12,
        "total": 4711,
        "bytes_in": 123_456,
        "bytes_out": 123_456_789,
        "rate_in": 12_345,
        "rate_out": 1_234_567,
        "last_byte_at": "2026-11-21T10:46:00.000Z",
        "allow": [],
        "problem": None,
    } | more


def status(*tunnels: dict[str, object]) -> dict[str, object]:
    return {
        "up": True,
        "edge": "tunnel.example.com",
        "links": 2,
        "round_trip_ms": 12.34,
        "problem": None,
        "next_try_s": None,
        "tunnels": list(tunnels),
    }


SEVERAL = status(tunnel("web"), tunnel("a-shop-with-a-longer-name"), tunnel("old", "taken-over"))


@pytest.mark.parametrize("width", [30, 40, 50, 60, 80, 100, 120])
def test_every_width_shows_each_address_and_its_state(width) -> None:
    lines = foreground(SEVERAL, Screen(width, False), NOW)

    text = "\n".join(lines)
    assert text.count("live") == 2
    assert text.count("taken-over") == 1
    for name in ("web", "a-shop-with-a-longer-name", "old"):
        assert f"https://{name}.tunnel.example.com" in text  # whole, so that it can be copied
    assert all(width_of(line) <= width for line in lines if "https://" not in line)


def test_a_narrow_row_has_its_state_below_its_address() -> None:
    lines = foreground(status(tunnel("web"), tunnel("api", "offline")), Screen(40, False), NOW)

    assert lines[2:8] == [
        "ADDRESS",
        "  TO     STATE    NOW      IN  LAST BYTE",
        "https://web.tunnel.example.com",
        "  :3000  live      12  123 kB  2 h ago",
        "https://api.tunnel.example.com",
        "  :3000  offline   12  123 kB  2 h ago",
    ]


def test_the_first_line_leaves_out_what_does_not_fit() -> None:
    assert foreground(SEVERAL, Screen(80, False), NOW)[0].endswith("2 connections, round trip 12.3 ms")
    assert foreground(SEVERAL, Screen(50, False), NOW)[0].endswith("2 connections")
    assert foreground(SEVERAL, Screen(40, False), NOW)[0] == "Linked with tunnel.example.com"


def test_a_target_of_this_machine_is_its_port() -> None:
    shared = tunnel("mine", target="127.0.0.1:8080", label="share 5173")
    other = tunnel("theirs", target="db.lan:5432")
    text = "\n".join(foreground(status(tunnel("web"), shared, other), Screen(200, False), NOW))

    for where in (" :3000 ", " share 5173 ", " db.lan:5432 "):
        assert where in text


def test_no_colour_is_no_colour() -> None:
    assert "\x1b" not in "".join(foreground(SEVERAL, Screen(40, False), NOW))
    assert "\x1b[32mlive" in "".join(foreground(SEVERAL, Screen(40, True), NOW))
