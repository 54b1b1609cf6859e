"""What an edge is to be, and what stands in its way: decided without a host."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

Decide = Callable[..., tuple[dict[str, Any], list[dict[str, str]]]]
ALICE = {
    "uid": 1000,
    "user": "alice",
    "group": "alice",
    "home": "/home/alice",
    "sudo": "none",
    "rootless_here": True,
}
VPS = {"groups": ["edge"], "homeport_edge_url": "https://{name}.tunnel.example.com"}
LAPTOP = {"groups": ["workstation", "edge"], "traefik_bind": "127.0.0.1"}
NGINX = {
    "address": "0.0.0.0",
    "uid": 33,
    "user": "www-data",
    "pid": 7,
    "exe": "/usr/sbin/nginx",
    "command": "nginx",
}


def errors(problems: list[dict[str, str]]) -> str:
    assert all(problem["fix"] for problem in problems)
    return "\n".join(problem["error"] for problem in problems)


def test_a_vps_is_an_edge_alone(decide: Decide, rules: SimpleNamespace) -> None:
    # Debian's cloud images have a person with every right, who is nobody's agent.
    fact, problems = decide({}, VPS)
    assert problems == []
    assert (fact["agent"]["user"], fact["agent"]["owner_reader"], fact["firewall"]["enabled"]) == (
        "homeport",
        "",
        True,
    )
    edge, traefik = fact["edge"], fact["traefik"]
    assert (traefik["web"], traefik["secure"], traefik["metrics"]) == (":80", ":443", "127.0.0.1:7071")
    assert (traefik["resolver"], traefik["wildcard"]) == ("homeport-domains", "")
    assert edge["open_tcp"] == ["80", "443", "20000-29999"]
    assert fact["agent"]["dashboard"] == edge["admin"] == "https://admin.tunnel.example.com"
    assert fact["own_ports"] == [80, 443, 7070, 7071]
    assert fact["caddy"] == {}
    assert "/srv/homeport/caddy" not in [row.path for row in rules.folders(fact)]
    assert [user["name"] for user in rules.service_users(fact)] == ["homeport-traefik"]


@pytest.mark.parametrize("observed", [{}, {"systemd": False}, ALICE])
def test_a_laptop_is_both_and_nobody_elses_business(
    decide: Decide, rules: SimpleNamespace, observed: dict[str, Any]
) -> None:
    fact, problems = decide(observed, LAPTOP)
    assert problems == []
    edge, traefik = fact["edge"], fact["traefik"]
    assert (traefik["web"], traefik["secure"], edge["bind"]) == ("127.0.0.1:8081", "", ["127.0.0.1", "::1"])
    assert (edge["host"], edge["connect"]) == ("localhost", "http://tunnel.localhost:8081")
    assert (edge["open_tcp"], edge["open_udp"], fact["firewall"]["enabled"]) == ([], [], False)
    assert fact["agent"]["dashboard"] == "http://localhost:8080"
    assert fact["own_ports"] == [7070, 7071, 8080, 8081]
    assert len(rules.service_users(fact)) == (2 if fact["rootful"] else 0)
    paths = [row.path for row in rules.folders(fact)]
    assert [paths.index(traefik[key]) for key in ("data", "routes")] == sorted(
        paths.index(traefik[key]) for key in ("data", "routes")
    )


def test_the_agent_and_traefik_share_a_group_and_nobody_else_reads(
    decide: Decide, rules: SimpleNamespace
) -> None:
    fact, _problems = decide({}, VPS)
    rows = {row.path: row for row in rules.folders(fact)}
    assert rows[fact["traefik"]["routes"]][1:] == ("homeport", "homeport-traefik", "2750")
    assert rows[fact["sockets"]][1:] == (
        "homeport",
        "homeport",
        "2750",
    )  # Caddy's way to the agent is not Traefik's
    assert rules.shared_groups(fact) == ["homeport", "homeport-traefik"]
    assert {user["group"] for user in rules.service_users(fact)} == {"homeport-traefik"}
    assert rows["/var/lib/homeport-traefik/acme"].mode == "0700"


def test_a_provider_makes_it_one_certificate_for_all(decide: Decide) -> None:
    fact, problems = decide({}, {**VPS, "traefik_dns_provider": "ovh"})
    assert problems == []
    assert fact["traefik"]["wildcard"] == "homeport-wildcard"


def test_what_is_no_edge_has_nothing_of_it(decide: Decide, rules: SimpleNamespace) -> None:
    fact, problems = decide({}, {"homeport_edge_url": "nonsense", "homeportd_tcp_ports": "nonsense"})
    assert problems == []
    assert (fact["edge"], fact["traefik"], fact["edge_host"]) == ({}, {}, {})
    assert not any("traefik" in row.path for row in rules.folders(fact))


@pytest.mark.parametrize(
    ("variables", "word"),
    [
        ({"homeport_edge_url": "https://tunnel.example.com"}, "no pattern of names"),
        ({"homeport_edge_url": "https://{name}.example.com:99999"}, "names port 99999"),
        (
            {"homeport_edge_url": "http://{name}.tunnel.localhost:8081", "traefik_dns_provider": "ovh"},
            "begins with http://",
        ),
        ({"homeportd_edge_listen": "0.0.0.0:7070"}, "homeportd_edge_listen is '0.0.0.0:7070'"),
        ({"homeportd_edge_listen": "127.0.0.1:65535"}, "homeportd_edge_listen is '127.0.0.1:65535'"),
        ({"traefik_bind": "everywhere"}, "traefik_bind is 'everywhere'"),
        (
            {"homeportd_admin_allow": ["203.0.113.1/24", "fe80::1%eth0"]},
            "'fe80::1%eth0', which is no network",
        ),
        ({"homeportd_tcp_ports": "80"}, "homeportd_tcp_ports is '80'"),
        (
            {"homeportd_udp_ports": "30000-40000", "traefik_bind": "127.0.0.1"},
            "where this machine's own connections begin",
        ),
        ({"homeportd_tcp_ports": "7000-8000"}, "has the edge's own port 7070 in it"),
        (
            {
                "groups": ["workstation", "edge"],
                "caddy_port": 7071,
                "homeport_origin": "https://{port}.example.com",
            },
            "the edge uses too",
        ),
    ],
)
def test_wrong_variables(decide: Decide, variables: dict[str, Any], word: str) -> None:
    _fact, problems = decide({}, {**VPS, **variables})
    assert word in errors(problems)


@pytest.mark.parametrize("observed", [{"systemd": False}, ALICE])
def test_low_ports_take_root_and_systemd(decide: Decide, observed: dict[str, Any]) -> None:
    _fact, problems = decide(observed, VPS)
    assert "port 80 and 443, which takes root and systemd" in errors(problems)


@pytest.mark.parametrize(
    ("port", "listener", "problem"),
    [
        (443, {}, "port 443 at 0.0.0.0 is taken by nginx"),
        (443, {"exe": "/opt/homeport/tools/traefik/3.0/bin/traefik"}, ""),
        (443, {"exe": None, "command": None, "user": "homeport-traefik"}, ""),
        (443, {"exe": None, "command": None}, "taken by a process of user www-data"),
        (7070, {"user": "homeport", "exe": None, "command": None}, ""),
        (7070, {"user": "homeport", "command": "/opt/homeport/current/bin/homeportd serve"}, ""),
        (
            7070,
            {"user": "homeport", "command": "python3 -m http.server"},
            "port 7070 at 0.0.0.0 is taken by python3",
        ),
    ],
)
def test_occupied_ports(decide: Decide, port: int, listener: dict[str, Any], problem: str) -> None:
    _fact, problems = decide({"listeners": {str(port): [{**NGINX, **listener}]}}, VPS)
    assert problem in errors(problems)
    assert bool(problems) is bool(problem)


def test_a_machine_without_ipv6_binds_none(decide: Decide) -> None:
    assert decide({"ipv6": False}, VPS)[0]["edge"]["bind"] == ["0.0.0.0"]
    assert decide({}, {**VPS, "traefik_bind": "203.0.113.7"})[0]["edge"]["bind"] == ["203.0.113.7"]


@pytest.mark.parametrize(
    ("tcp", "udp", "kept"),
    [
        ("20000-29999", "20000-29999", ""),
        ("20000-40000", "20000-40000", "20000-40000"),
        ("20000-29999", "30000-40000", "30000-40000"),
        ("35000-36000", "33000-34999", "33000-36000"),
        ("60000-60100", "33000-33100", "33000-33100,60000-60100"),
        ("33000-33000", "20000-29999", "33000"),
        ("61000-62000", "20000-32767", ""),
    ],
)
def test_the_kernel_leaves_the_ports_of_tunnels_alone(decide: Decide, tcp: str, udp: str, kept: str) -> None:
    fact, problems = decide({}, {**VPS, "homeportd_tcp_ports": tcp, "homeportd_udp_ports": udp})
    assert problems == []
    assert fact["edge"]["reserved_ports"] == kept


def test_each_reverse_proxy_says_what_it_is_started_from_and_where_it_answers(
    decide: Decide, rules: SimpleNamespace
) -> None:
    assert list(rules.proxies(decide()[0])) == ["homeport-caddy"]
    vps = rules.proxies(decide({}, VPS)[0])["homeport-traefik"]
    assert vps["addresses"] == ("http://:80", "http://127.0.0.1:7071", "https://:443")
    assert vps["files"] == (
        "/etc/homeport/traefik.yml",
        "/var/lib/homeport-traefik/routes/edge.yml",
        "/etc/systemd/system/homeport-traefik.service",
        "/etc/homeport/homeport-traefik.env",
    )
    assert vps["log"] == "/var/log/homeport-traefik/traefik.json"
    both = rules.proxies(decide({"systemd": False}, LAPTOP)[0])
    assert both["homeport-traefik"]["addresses"] == ("http://127.0.0.1:8081", "http://127.0.0.1:7071")
    assert both["homeport-caddy"] == {
        "files": ("/etc/homeport/Caddyfile", "/etc/homeport/programs/homeport-caddy.conf"),
        "addresses": ("http://127.0.0.1:8080", "http://[::1]:8080"),
        "log": "",
    }
