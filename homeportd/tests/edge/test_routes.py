"""Traefik's files: what they say, and how they come to be. Traefik itself reads them in test_http.py."""

from __future__ import annotations

import dataclasses
import json
import re
from ipaddress import ip_network

import pytest

from homeportd.edge.model import MAX_CONNECTIONS, Rules, stricter
from homeportd.edge.traefik.routes import UNTRUSTED_HEADERS, Domain, Route, Routes, route

PLAIN = Route(
    id="0a1b2c",
    host="app.tunnel.example.com",
    origin="https://app.tunnel.example.com",
    upstream="http://127.0.0.1:41000",
    edge="http://127.0.0.1:7070",
    entry_point="websecure",
    tls=True,
    cert_resolver=None,
    allow=(),
    rewrite_host=None,
    passcode=False,
)


def test_a_plain_name_is_one_router_and_one_service():
    assert route(PLAIN) == {
        "http": {
            "routers": {
                "homeport-0a1b2c": {
                    "entryPoints": ["websecure"],
                    "service": "homeport-0a1b2c",
                    "rule": "Host(`app.tunnel.example.com`)",
                    "priority": 10_000,
                    "tls": {},
                    "middlewares": ["homeport-0a1b2c-forwarded"],
                }
            },
            "middlewares": {
                "homeport-0a1b2c-forwarded": {
                    "headers": {
                        "customRequestHeaders": {
                            **dict.fromkeys(UNTRUSTED_HEADERS, ""),
                            "X-Forwarded-Port": "443",
                        }
                    }
                }
            },
            "services": {
                "homeport-0a1b2c": {
                    "loadBalancer": {
                        "servers": [{"url": "http://127.0.0.1:41000"}],
                        "responseForwarding": {"flushInterval": "1ms"},
                    }
                }
            },
        }
    }


def test_the_allowlists_stand_first_and_each_must_admit():
    wanted = dataclasses.replace(
        PLAIN,
        allow=((ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")), (ip_network("10.1.0.0/16"),)),
        rewrite_host="localhost:3000",
        passcode=True,
    )
    http = route(wanted)["http"]
    lists = ["homeport-0a1b2c-allow0", "homeport-0a1b2c-allow1"]
    assert http["middlewares"][lists[0]] == {"ipAllowList": {"sourceRange": ["10.0.0.0/8", "2001:db8::/32"]}}
    for router in http["routers"].values():
        assert router["middlewares"][:2] == lists
        for name in router["middlewares"]:
            assert name in http["middlewares"]
        assert router["service"] in http["services"]
    order = http["routers"]["homeport-0a1b2c"]["middlewares"]
    assert order.index("homeport-0a1b2c-passcode") < order.index("homeport-0a1b2c-host")


def test_domains_have_their_own_certificate_and_origin():
    wanted = dataclasses.replace(
        PLAIN, rewrite_host="localhost:3000", domains=(Domain("app.example.net", "single"),)
    )
    routers = route(wanted)["http"]["routers"]
    assert routers["homeport-0a1b2c-d1"]["tls"] == {"certResolver": "single"}
    rule = routers["homeport-0a1b2c-d1-origin"]["rule"]
    assert rule == "Host(`app.example.net`) && Header(`Origin`, `https://app.example.net`)"
    assert routers["homeport-0a1b2c"]["tls"] == {}


@pytest.mark.parametrize("host", ["a`) || Host(`b", "", "UPPER.example", "a b"])
def test_nothing_gets_into_a_rule(tmp_path, host):
    routes = Routes(tmp_path)
    routes.start([])
    with pytest.raises(ValueError, match="host name"):
        routes.write(dataclasses.replace(PLAIN, host=host))
    assert list(tmp_path.glob("*.yml")) == []


def test_stale_files_go_and_others_stay(tmp_path):
    (tmp_path / "tunnel-dead.yml").write_text("{}")
    (tmp_path / "edge.yml").write_text("{}")
    (tmp_path / "tunnel-half.new").write_text('{"http": {"rou')
    routes = Routes(tmp_path)
    routes.start([PLAIN])
    assert {path.name for path in tmp_path.glob("*.yml")} == {"edge.yml", "tunnel-0a1b2c.yml"}
    # Traefik looks into folders too, and may read none of the agent's but this one.
    assert {path.name for path in tmp_path.iterdir()} == {"edge.yml", "tunnel-0a1b2c.yml"}
    before = (tmp_path / "tunnel-0a1b2c.yml").stat().st_mtime_ns
    routes.write(PLAIN)  # nothing new: Traefik need not read it again
    assert (tmp_path / "tunnel-0a1b2c.yml").stat().st_mtime_ns == before
    assert json.loads((tmp_path / "tunnel-0a1b2c.yml").read_text()) == route(PLAIN)
    routes.remove(PLAIN.id)
    routes.remove(PLAIN.id)
    assert {path.name for path in tmp_path.glob("*.yml")} == {"edge.yml"}


def test_rules_that_keep_somebody_out_are_stricter():
    home, work = (ip_network("192.0.2.0/24"),), (ip_network("198.51.100.0/24"),)

    def rules(*allow, passcode=None):
        return Rules(allow, None, MAX_CONNECTIONS, passcode, subdomains=False)

    assert stricter(rules(), rules(home))
    assert stricter(rules(home), rules(work))
    assert stricter(rules(home), rules(home, work))
    assert stricter(rules(home), rules(home, passcode="$2b$"))
    assert not stricter(rules(), rules())
    assert not stricter(rules(home, work), rules(work))
    assert not stricter(rules(passcode="$2b$"), rules())
    assert not stricter(rules(passcode="$2b$1"), rules(passcode="$2b$2"))  # the edge is asked each time


def test_the_ports_of_a_workstation_lead_where_its_name_does():
    routers = route(dataclasses.replace(PLAIN, workstation=True))["http"]["routers"]
    own, ports = routers["homeport-0a1b2c"], routers["homeport-0a1b2c-ports"]
    assert {key: ports[key] for key in ("service", "middlewares", "tls")} == {
        key: own[key] for key in ("service", "middlewares", "tls")
    }
    assert ports["priority"] < own["priority"]  # a tunnel's own name leads to that tunnel
    pattern = re.compile(ports["rule"].removeprefix("HostRegexp(`").removesuffix("`)"))
    host = "app.tunnel.example.com"
    assert all(pattern.search(f"{port}-{host}") for port in (1, 5173, 65535))
    others = ("", "0-", "123456-", "5173.", "x5173-", "a.5173-", "5173-x-", "5173-5174-")
    assert not any(pattern.search(f"{prefix}{host}") for prefix in others)
    assert not pattern.search("5173-appXtunnel.example.com")


def test_a_passcode_of_a_workstation_is_asked_for_at_its_ports():
    http = route(dataclasses.replace(PLAIN, workstation=True, passcode=True))["http"]
    own, form, ports = (http["routers"][f"homeport-0a1b2c{end}"] for end in ("-own", "-ports-own", "-ports"))
    assert (form["service"], form["middlewares"]) == (own["service"], own["middlewares"])
    assert form["rule"] == f"{ports['rule']} && Path(`/.homeport/passcode`)"
    assert form["priority"] > ports["priority"]


def test_names_below_have_a_certificate_of_their_own():
    wanted = dataclasses.replace(PLAIN, subdomains=True, wildcard_resolver="wildcard", passcode=True)
    http = route(wanted)["http"]
    router = http["routers"]["homeport-0a1b2c-below"]
    assert router["rule"] == "HostRegexp(`^[a-z0-9_-]+\\.app\\.tunnel\\.example\\.com$`)"
    assert router["tls"] == {
        "certResolver": "wildcard",
        "domains": [{"main": "*.app.tunnel.example.com"}],
    }
    own, below = (http["routers"][f"homeport-0a1b2c{end}"] for end in ("-own", "-below-own"))
    assert (below["service"], below["middlewares"]) == (own["service"], own["middlewares"])
