"""What an installation is to be, and what stands in its way: decided without a host."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

Decide = Callable[..., tuple[dict[str, Any], list[dict[str, str]]]]
ALICE = {"uid": 1000, "user": "alice", "group": "alice", "home": "/home/alice"}
LISTENER = {
    "address": "0.0.0.0",
    "uid": 33,
    "user": "www-data",
    "pid": 7,
    "exe": "/usr/sbin/nginx",
    "command": "nginx",
}


def fixes(problems: list[dict[str, str]]) -> str:
    assert all(set(problem) == {"error", "fix"} and problem["fix"] for problem in problems)
    return "\n".join(problem["error"] for problem in problems)


def test_a_fresh_debian_has_no_problem(decide: Decide) -> None:
    fact, problems = decide()
    assert problems == []
    assert (fact["manager"], fact["agent"]["user"], fact["software"]) == (
        "systemd",
        "homeport",
        "/opt/homeport",
    )
    assert fact["agent"]["dashboard"] == "http://localhost:8080"


@pytest.mark.parametrize(
    ("observed", "variables", "rootful", "elevate", "manager"),
    [
        ({}, {}, True, False, "systemd"),
        ({"systemd": False}, {}, True, False, "supervisor"),
        ({**ALICE, "sudo": "free"}, {}, True, True, "systemd"),
        ({**ALICE, "sudo": "password"}, {"homeport_rootless": True}, False, False, "supervisor"),
        ({**ALICE, "sudo": "password"}, {"become_password": True}, True, True, "systemd"),
        ({**ALICE, "sudo": "none"}, {"homeport_rootless": True}, False, False, "supervisor"),
        ({**ALICE, "sudo": "free"}, {"homeport_rootless": True}, False, False, "supervisor"),
    ],
)
def test_root_is_used_where_it_can_be_had(
    decide: Decide,
    observed: dict[str, Any],
    variables: dict[str, Any],
    rootful: bool,
    elevate: bool,
    manager: str,
) -> None:
    fact, problems = decide(observed, variables)
    assert problems == []
    assert (fact["rootful"], fact["elevate"], fact["manager"]) == (rootful, elevate, manager)


def test_all_problems_come_at_once(decide: Decide) -> None:
    _fact, problems = decide(
        {"os": {"id": "fedora", "version": "41", "name": "Fedora 41"}, "listeners": {"8080": [LISTENER]}},
        {
            "homeport_origin": "ftp://x",
            "homeport_port_ranges": ["9-1"],
            "caddy_trusted_proxies": ["10.0.0.0/99"],
            "homeport_user": "root",
        },
    )
    text = fixes(problems)
    for word in ("Fedora 41", "ftp://x", "'9-1'", "10.0.0.0/99", "would run as root", "nginx (pid 7)"):
        assert word in text


@pytest.mark.parametrize(
    ("variables", "word"),
    [
        ({"homeport_origin": "http://{port}.localhost:9000"}, "Caddy listens on 8080"),
        ({"homeport_origin": "http://{port}.localhost"}, "names port 80"),
        ({"homeport_origin": "http://{port}.example.com:99999"}, "names port 99999"),
        ({"homeport_edge_name": "Desk"}, "is no name at an edge"),
        ({"homeport_edge_name": "x" * 58}, "is no name at an edge"),
        (
            {"homeport_edge_name": "desk", "homeport_edge_url": "tunnel.example.com"},
            "no address for homeport_edge_name",
        ),
        ({"homeport_port_ranges": []}, "homeport_port_ranges is empty"),
        ({"homeport_port_ranges": ["3000-70000"]}, "3000-70000"),
        ({"caddy_port": 0, "homeport_origin": "https://{port}.example.com"}, "caddy_port is 0"),
        ({"caddy_bind": []}, "caddy_bind is empty"),
        ({"caddy_bind": ["localhost"]}, "localhost"),
        ({"homeport_user": "Alice!"}, "no name of a user"),
        ({"homeport_rootless": True, "firewall_enabled": True}, "firewall_enabled"),
        ({"firewall_enabled": "perhaps"}, "firewall_enabled is 'perhaps'"),
        ({"homeport_rootless": True, "localhost_names_enabled": True}, "localhost_names_enabled needs root"),
    ],
)
def test_wrong_variables(decide: Decide, variables: dict[str, Any], word: str) -> None:
    _fact, problems = decide({}, variables)
    assert word in fixes(problems)


@pytest.mark.parametrize(
    ("url", "origin", "dashboard"),
    [
        (
            "https://{name}.tunnel.example.com",
            "https://{port}-desk.tunnel.example.com",
            "https://desk.tunnel.example.com",
        ),
        (
            "http://{name}.tunnel.localhost:8081",
            "http://{port}-desk.tunnel.localhost:8081",
            "http://desk.tunnel.localhost:8081",
        ),
    ],
)
def test_a_name_at_the_edge_takes_the_place_of_the_origin(
    decide: Decide, url: str, origin: str, dashboard: str
) -> None:
    fact, problems = decide({}, {"homeport_edge_name": "desk", "homeport_edge_url": url})
    assert problems == []
    caddy = fact["caddy"]
    assert (caddy["origin"], caddy["dashboard"], caddy["edge_name"]) == (origin, dashboard, "desk")


@pytest.mark.parametrize(
    ("observed", "word"),
    [
        ({"os": {"id": "debian", "version": "11", "name": "Debian 11"}}, "Debian 11 is not supported"),
        ({"os": {"id": "ubuntu", "version": "22.04", "name": "Ubuntu 22.04"}}, "Ubuntu 22.04"),
        ({"python": {"path": "/usr/bin/python3", "version": [3, 9, 2]}}, "Python 3.9.2"),
        ({"python": {"path": "/usr/bin/python3", "version": None}}, "no /usr/bin/python3"),
    ],
)
def test_unfit_machines(decide: Decide, observed: dict[str, Any], word: str) -> None:
    _fact, problems = decide(observed)
    assert word in fixes(problems)


@pytest.mark.parametrize("version", ["24.04", "26.04"])
def test_newer_ubuntu_is_welcome(decide: Decide, version: str) -> None:
    assert decide({"os": {"id": "ubuntu", "version": version, "name": "Ubuntu"}})[1] == []


def test_debian_testing_has_no_number(decide: Decide) -> None:
    assert decide({"os": {"id": "debian", "version": "", "name": "Debian forky/sid"}})[1] == []


def test_rootless_cannot_have_a_low_port_nor_another_user(decide: Decide) -> None:
    _fact, problems = decide(
        {**ALICE, "sudo": "none"},
        {
            "caddy_port": 80,
            "homeport_origin": "http://{port}.localhost",
            "homeport_user": "bob",
            "homeport_rootless": True,
        },
    )
    assert "needs root" in fixes(problems)
    assert "only alice can be served" in fixes(problems)


def test_disks(decide: Decide) -> None:
    _fact, [problem] = decide({"disk": {"free": 100 * 1024 * 1024}})
    assert "100 MiB are free at /, and 640 are needed" in problem["error"]


@pytest.mark.parametrize(
    ("listener", "bind", "collides"),
    [
        ({}, ["127.0.0.1"], True),
        ({"address": "::"}, ["127.0.0.1"], True),
        ({"address": "192.168.1.2"}, ["127.0.0.1"], False),
        ({"address": "192.168.1.2"}, ["0.0.0.0"], True),
        ({"exe": "/opt/homeport/tools/caddy/1.0/bin/caddy"}, ["127.0.0.1"], False),
        ({"exe": "/opt/homeport/tools/caddy-not-ours/caddy"}, ["127.0.0.1"], True),
    ],
)
def test_an_occupied_port(decide: Decide, listener: dict[str, Any], bind: list[str], collides: bool) -> None:
    _fact, problems = decide({"listeners": {"8080": [{**LISTENER, **listener}]}}, {"caddy_bind": bind})
    assert bool(problems) is collides


def test_caddys_own_listener_is_known_by_its_user(decide: Decide) -> None:
    users = {
        "homeport-caddy": {"uid": 33, "group": "homeport", "home": "/"},
        "alice": {"uid": 1000, "group": "alice", "home": "/home/alice"},
    }
    assert decide({"listeners": {"8080": [{**LISTENER, "exe": None, "pid": None}]}, "users": users})[1] == []


def test_without_ipv6_its_loopback_is_left_out(decide: Decide) -> None:
    assert decide({"ipv6": False})[0]["caddy"]["bind"] == ["127.0.0.1"]


def test_a_home_too_long_for_a_socket(decide: Decide) -> None:
    home = "/home/" + "x" * 80
    _fact, problems = decide({**ALICE, "home": home}, {"homeport_rootless": True})
    assert "too long for the name of a unix socket" in fixes(problems)


@pytest.mark.parametrize(
    "observed", [{}, {"systemd": False}, {**ALICE, "sudo": "none", "rootless_here": True}]
)
def test_folders_are_safe(decide: Decide, rules: SimpleNamespace, observed: dict[str, Any]) -> None:
    fact, _problems = decide(observed)
    rows = {row.path: row for row in rules.folders(fact)}
    assert rows[fact["agent"]["data"]].mode == "0700"
    assert rows[fact["agent"]["data"]].owner == fact["agent"]["user"]
    assert (rows[fact["sockets"]].mode, rows[fact["sockets"]].group) == ("2750", fact["group"])
    # Of all accounts only the agent's user may say there who a visitor is; without root nobody else may enter.
    visitors = (fact["caddy"]["user"], fact["agent"]["user_group"], "2750" if fact["rootful"] else "0700")
    assert rows[fact["caddy"]["visitors"]][1:] == visitors
    paths = list(rows)
    assert all(
        parent in paths[: paths.index(path)]
        for path in paths
        for parent in paths
        if path.startswith(parent + "/")
    )


def test_what_earlier_releases_ran_is_taken_off(rules: SimpleNamespace, decide: Decide) -> None:
    unit, program, folder = (
        "/etc/systemd/system/homeport-witness.service",
        "/etc/homeport/programs/homeport-witness.conf",
        "/run/homeport-witness",
    )
    for observed, variables, files in (
        ({}, {}, [unit, folder]),
        ({"systemd": False}, {}, [program, folder]),
        ({**ALICE, "sudo": "none"}, {"homeport_rootless": True}, []),
    ):
        fact, _problems = decide(observed, variables)
        assert rules.retired(fact) == files
